//! Expressions over permissions: what a caller asks about a key.

mod parser;

use std::fmt;

use super::{permission::Permission, set::Access};
use crate::Invalid;

/// Permissions under NOT, AND, OR and parentheses. NOT binds tightest, then AND, then OR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: Box<str>,
    /// Each node is followed by the nodes of its parts, so that an evaluation runs through memory once.
    nodes: Box<[Node]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Permission(Permission),
    /// Of the next node.
    Not,
    /// Of the parts in this many nodes.
    All(usize),
    /// Of the parts in this many nodes.
    Any(usize),
}

/// Where an expression is wrong, counted in characters from 1, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionFault {
    pub position: usize,
    pub why: Invalid,
}

impl fmt::Display for ExpressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.position, self.why)
    }
}

impl std::error::Error for ExpressionFault {}

impl Expression {
    pub fn parse(text: &str) -> Result<Self, ExpressionFault> {
        Ok(Self { text: text.into(), nodes: parser::parse(text)?.into() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The permissions in it, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &Permission> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Permission(name) => Some(name),
            Node::Not | Node::All(_) | Node::Any(_) => None,
        })
    }

    pub fn is_allowed_by(&self, access: &Access) -> bool {
        holds(&self.nodes, access)
    }

    /// The permissions that are not held and of which more are needed; sorted, each once. None if it is allowed.
    pub fn missing(&self, access: &Access) -> Vec<&Permission> {
        self.obstacles(access, true)
    }

    /// The permissions that are held and stand under a NOT that denies; sorted, each once. None if it is allowed.
    pub fn excluded(&self, access: &Access) -> Vec<&Permission> {
        self.obstacles(access, false)
    }

    fn obstacles(&self, access: &Access, missing: bool) -> Vec<&Permission> {
        let mut found = Vec::new();
        gather(&self.nodes, access, true, missing, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The bytes that it takes in memory.
    pub fn size(&self) -> usize {
        let names: usize = self.names().map(|name| name.as_str().len()).sum();
        size_of::<Self>() + self.text.len() + size_of_val(&*self.nodes) + names
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `access` satisfies the first of `nodes`. The parser bounds the depth.
fn holds(nodes: &[Node], access: &Access) -> bool {
    match &nodes[0] {
        Node::Permission(name) => access.allows(name.as_str()),
        Node::Not => !holds(&nodes[1..], access),
        Node::All(length) => parts(&nodes[1..=*length]).all(|part| holds(part, access)),
        Node::Any(length) => parts(&nodes[1..=*length]).any(|part| holds(part, access)),
    }
}

/// Gathers the permissions that keep the first of `nodes` from being `wanted`: those that are `missing`, or those that
/// are held.
fn gather<'a>(
    nodes: &'a [Node],
    access: &Access,
    wanted: bool,
    missing: bool,
    found: &mut Vec<&'a Permission>,
) {
    if holds(nodes, access) == wanted {
        return;
    }
    match &nodes[0] {
        Node::Permission(name) if wanted == missing => found.push(name),
        Node::Permission(_) => {}
        Node::Not => gather(&nodes[1..], access, !wanted, missing, found),
        Node::All(length) | Node::Any(length) => {
            parts(&nodes[1..=*length]).for_each(|part| gather(part, access, wanted, missing, found));
        }
    }
}

/// The parts of the group that consists of the nodes `rest`; each slice begins with one.
fn parts(mut rest: &[Node]) -> impl Iterator<Item = &[Node]> {
    std::iter::from_fn(move || {
        let part = Some(rest).filter(|it| !it.is_empty())?;
        rest = &rest[width(rest)..];
        Some(part)
    })
}

/// How many of `nodes` belong to the first.
fn width(nodes: &[Node]) -> usize {
    match &nodes[0] {
        Node::Permission(_) => 1,
        Node::Not => 1 + width(&nodes[1..]),
        Node::All(length) | Node::Any(length) => 1 + length,
    }
}
