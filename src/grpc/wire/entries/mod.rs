//! Counts the entries of a request's lists on its bytes: an entry of two bytes may need hundreds once it is decoded.

use std::{collections::HashMap, sync::LazyLock};

use domain::Invalid;
use prost::{Message, encoding::decode_varint};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use proto::FILE_DESCRIPTOR_SET;
use tonic::Status;

use crate::verbs::{Error, FieldFault};

use super::transport_status::malformed_message;

/// Most entries of one list field in a whole request, over all messages that it occurs in: of a list of messages, and of any other
/// list. Every request that a verb accepts is far below.
const MOST_MESSAGES: usize = 20_000;
const MOST_VALUES: usize = 100_000;

/// Refuses a request of the type `name` when a list is too long. Refuses one that is not well-formed too: the decoder might read
/// beyond the end of a nested message, where nothing was counted.
pub(in crate::grpc) fn check(name: &str, bytes: &[u8]) -> Result<(), Status> {
    let shapes = &*SHAPES;
    let Some(request) = shapes.requests.get(name) else { return Ok(()) };
    let mut count = Count { shapes, entries: vec![0; shapes.fields], path: Vec::new() };
    count.message(*request, bytes)
}

/// Every message type that may occur in a request.
struct Shapes {
    shapes: Vec<Shape>,
    /// Indexes of the requests among them, by full name.
    requests: HashMap<String, usize>,
    /// How many fields they have in all.
    fields: usize,
}

#[derive(Default)]
struct Shape(HashMap<u32, Field>);

struct Field {
    name: String,
    /// Its index among all fields.
    index: usize,
    /// How many entries it may have; `None` for one that is no list.
    most: Option<usize>,
    /// The index of its shape, if it is a message.
    message: Option<usize>,
    /// How wide an entry of a packed list is.
    width: Width,
}

#[derive(Clone, Copy)]
enum Width {
    Fixed(usize),
    Varint,
    /// The type cannot be packed.
    None,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the descriptors are our own");
    Shapes::of(&set)
});

impl Shapes {
    fn of(set: &FileDescriptorSet) -> Self {
        let mut messages = Vec::new();
        for file in &set.file {
            for message in &file.message_type {
                add(&format!(".{}", file.package()), message, &mut messages);
            }
        }
        let indexes: HashMap<&str, usize> =
            messages.iter().enumerate().map(|(index, (name, _))| (name.as_str(), index)).collect();
        let is_map = |at: usize| messages[at].1.options.as_ref().is_some_and(|options| options.map_entry());
        let mut fields = 0;
        let mut field = |field: &FieldDescriptorProto| {
            let message = indexes.get(field.type_name()).copied();
            let most = if message.is_some_and(|at| !is_map(at)) { MOST_MESSAGES } else { MOST_VALUES };
            fields += 1;
            Field {
                name: field.name().to_owned(),
                index: fields - 1,
                most: (field.label() == Label::Repeated).then_some(most),
                message,
                width: width(field.r#type()),
            }
        };
        let number = |field: &FieldDescriptorProto| u32::try_from(field.number()).unwrap_or_default();
        let shapes = messages
            .iter()
            .map(|(_, message)| Shape(message.field.iter().map(|it| (number(it), field(it))).collect()))
            .collect();
        let services = set.file.iter().flat_map(|file| &file.service);
        let requests = services
            .flat_map(|service| &service.method)
            .filter_map(|method| {
                let at = indexes.get(method.input_type())?;
                Some((method.input_type().trim_start_matches('.').to_owned(), *at))
            })
            .collect();
        Self { shapes, requests, fields }
    }
}

fn add<'a>(scope: &str, message: &'a DescriptorProto, messages: &mut Vec<(String, &'a DescriptorProto)>) {
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        add(&name, nested, messages);
    }
    messages.push((name, message));
}

fn width(kind: Type) -> Width {
    match kind {
        Type::Double | Type::Fixed64 | Type::Sfixed64 => Width::Fixed(8),
        Type::Float | Type::Fixed32 | Type::Sfixed32 => Width::Fixed(4),
        Type::String | Type::Bytes | Type::Message | Type::Group => Width::None,
        _ => Width::Varint,
    }
}

impl Width {
    fn entries(self, packed: &[u8]) -> usize {
        match self {
            Self::Fixed(width) => packed.len() / width,
            // The last byte of each varint is the one without the high bit.
            Self::Varint => packed.iter().filter(|byte| **byte < 0x80).count(),
            Self::None => 1,
        }
    }
}

struct Count<'a> {
    shapes: &'a Shapes,
    /// By field, over the whole request.
    entries: Vec<usize>,
    path: Vec<&'a str>,
}

impl<'a> Count<'a> {
    fn message(&mut self, shape: usize, mut bytes: &[u8]) -> Result<(), Status> {
        let shape = &self.shapes.shapes[shape].0;
        // Groups occur in unknown fields only, which the decoder skips.
        let mut groups = 0_usize;
        while !bytes.is_empty() {
            let (number, value) = next(&mut bytes).ok_or_else(broken)?;
            match value {
                Value::GroupBegins => groups += 1,
                Value::GroupEnds if groups > 0 => groups -= 1,
                Value::GroupEnds => return Err(broken()),
                Value::Number | Value::Bytes(_) if groups > 0 => {}
                Value::Number => {
                    if let Some(field) = shape.get(&number) {
                        self.add(field, 1)?;
                    }
                }
                Value::Bytes(bytes) => {
                    if let Some(field) = shape.get(&number) {
                        self.add(field, field.width.entries(bytes))?;
                        if let Some(message) = field.message {
                            self.path.push(&field.name);
                            self.message(message, bytes)?;
                            self.path.pop();
                        }
                    }
                }
            }
        }
        if groups == 0 { Ok(()) } else { Err(broken()) }
    }

    fn add(&mut self, field: &'a Field, entries: usize) -> Result<(), Status> {
        let Some(most) = field.most else { return Ok(()) };
        let count = &mut self.entries[field.index];
        *count += entries;
        if *count <= most {
            return Ok(());
        }
        let path = [self.path.as_slice(), &[field.name.as_str()]].concat().join(".");
        let why = Invalid::new("has far more entries than the field may have");
        Err(Error::Invalid(vec![FieldFault::new(path, &why)]).into())
    }
}

enum Value<'a> {
    Number,
    Bytes(&'a [u8]),
    GroupBegins,
    GroupEnds,
}

fn broken() -> Status {
    malformed_message("a field is truncated, or its key is invalid")
}

/// Takes the next field; `None` when the bytes are not a message.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let key = u32::try_from(decode_varint(bytes).ok()?).ok()?;
    let value = match key & 7 {
        0 => {
            decode_varint(bytes).ok()?;
            Value::Number
        }
        1 => take(bytes, 8).map(|_| Value::Number)?,
        2 => {
            let length = decode_varint(bytes).ok()?;
            Value::Bytes(take(bytes, usize::try_from(length).ok()?)?)
        }
        3 => Value::GroupBegins,
        4 => Value::GroupEnds,
        5 => take(bytes, 4).map(|_| Value::Number)?,
        _ => return None,
    };
    Some((key >> 3, value))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests;
