//! The parser of expressions, and what it says of a text that is none.

use super::{ExpressionFault, Node};
use crate::{
    Invalid,
    access::permission::{NameFault, Permission},
    text::without_api_key,
};

const LONGEST: usize = 1000;
const MOST_NAMES: usize = 100;
/// How many parentheses and NOTs may be around a permission.
const DEEPEST: usize = 20;

pub(super) fn parse(text: &str) -> Result<Vec<Node>, ExpressionFault> {
    if text.chars().nth(LONGEST).is_some() {
        let why = Invalid::new(format!("an expression has at most {LONGEST} characters"));
        return Err(ExpressionFault { position: LONGEST + 1, why });
    }
    without_api_key(text).map_err(|why| ExpressionFault { position: 1, why })?;
    let mut parser = Parser { text, at: 0, depth: 0, names: 0, last_name: None, nodes: Vec::new() };
    parser.any()?;
    match parser.peek() {
        (_, Token::End) => Ok(parser.nodes),
        _ => Err(parser.no_operator()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Word(&'a str),
    End,
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes, as every place below.
    at: usize,
    depth: usize,
    names: usize,
    /// The last permission, with its place.
    last_name: Option<(usize, &'a str)>,
    nodes: Vec<Node>,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<(), ExpressionFault> {
        self.group("OR", Self::all, Node::Any)
    }

    fn all(&mut self) -> Result<(), ExpressionFault> {
        self.group("AND", Self::term, Node::All)
    }

    fn group(
        &mut self,
        operator: &str,
        part: fn(&mut Self) -> Result<(), ExpressionFault>,
        node: fn(usize) -> Node,
    ) -> Result<(), ExpressionFault> {
        let start = self.nodes.len();
        part(self)?;
        let mut is_group = false;
        while self.take(Token::Word(operator)) {
            part(self)?;
            is_group = true;
        }
        if is_group {
            self.nodes.insert(start, node(self.nodes.len() - start));
        }
        Ok(())
    }

    fn term(&mut self) -> Result<(), ExpressionFault> {
        let (place, token) = self.peek();
        match token {
            Token::Word("NOT") => {
                self.enter(place, token)?;
                self.nodes.push(Node::Not);
                self.term()?;
                self.depth -= 1;
                Ok(())
            }
            Token::Open => {
                self.enter(place, token)?;
                self.any()?;
                if !self.take(Token::Close) {
                    return Err(self.not_closed(place));
                }
                self.depth -= 1;
                Ok(())
            }
            Token::Word(operator @ ("AND" | "OR")) => {
                Err(self.fault(place, format!("expected a permission before {operator}")))
            }
            Token::Word(name) => self.permission(place, name),
            Token::Close => Err(self.fault(place, "expected a permission before )".to_owned())),
            Token::End => Err(self.fault(place, "expected a permission, but the expression ends".to_owned())),
        }
    }

    /// One level down, over the `token` that begins it.
    fn enter(&mut self, place: usize, token: Token<'_>) -> Result<(), ExpressionFault> {
        self.take(token);
        self.depth += 1;
        if self.depth <= DEEPEST {
            return Ok(());
        }
        let why = format!("a permission has at most {DEEPEST} parentheses and NOTs around it");
        Err(self.fault(place, why))
    }

    fn permission(&mut self, place: usize, name: &'a str) -> Result<(), ExpressionFault> {
        let permission = Permission::read(name).map_err(|NameFault { before, why }| {
            let sign = name.chars().nth(before).and_then(instead_of);
            let why = sign.map_or_else(|| format!("the permission {why}"), str::to_owned);
            let mut fault = self.fault(place, why);
            fault.position += before;
            fault
        })?;
        self.names += 1;
        if self.names > MOST_NAMES {
            return Err(self.fault(place, format!("an expression has at most {MOST_NAMES} permissions")));
        }
        self.nodes.push(Node::Permission(permission));
        self.last_name = Some((place, name));
        self.take(Token::Word(name));
        Ok(())
    }

    /// Why what follows a complete expression does not continue it.
    fn no_operator(&mut self) -> ExpressionFault {
        let (place, token) = self.peek();
        if let Some((last, _)) = self.last_name.filter(|(_, name)| name.eq_ignore_ascii_case("NOT"))
            && token != Token::Close
        {
            return self.fault(last, in_capitals("NOT"));
        }
        let why = match token {
            Token::Close => "this ) has no ( before it".to_owned(),
            Token::Word("NOT") => "expected AND or OR before NOT".to_owned(),
            Token::Word(word) => {
                let operator = ["AND", "OR", "NOT"].into_iter().find(|it| it.eq_ignore_ascii_case(word));
                let sign = word.chars().next().and_then(instead_of).map(str::to_owned);
                let other = || "expected AND or OR before this permission".to_owned();
                operator.map(in_capitals).or(sign).unwrap_or_else(other)
            }
            Token::Open | Token::End => "expected AND or OR before (".to_owned(),
        };
        self.fault(place, why)
    }

    /// Why the parenthesis at `open` does not end where the expression in it does.
    fn not_closed(&mut self, open: usize) -> ExpressionFault {
        match self.peek() {
            (_, Token::End) => self.fault(open, "this ( is not closed".to_owned()),
            _ => self.no_operator(),
        }
    }

    /// The next token, with its place.
    fn peek(&mut self) -> (usize, Token<'a>) {
        let text = self.text;
        self.at = text.len() - text[self.at..].trim_start().len();
        let rest = &text[self.at..];
        let token = match rest.chars().next() {
            None => Token::End,
            Some('(') => Token::Open,
            Some(')') => Token::Close,
            Some(_) => {
                let end = rest.find(|it: char| it.is_whitespace() || matches!(it, '(' | ')'));
                Token::Word(&rest[..end.unwrap_or(rest.len())])
            }
        };
        (self.at, token)
    }

    /// Goes past the next token if it is `wanted`.
    fn take(&mut self, wanted: Token<'_>) -> bool {
        let (_, token) = self.peek();
        let is_wanted = token == wanted;
        if is_wanted {
            self.at += match token {
                Token::Open | Token::Close => 1,
                Token::Word(word) => word.len(),
                Token::End => 0,
            };
        }
        is_wanted
    }

    fn position(&self, place: usize) -> usize {
        self.text[..place].chars().count() + 1
    }

    fn fault(&self, place: usize, why: String) -> ExpressionFault {
        ExpressionFault { position: self.position(place), why: Invalid::new(why) }
    }
}

fn in_capitals(operator: &str) -> String {
    format!("operators are in capitals: write {operator}")
}

/// What to write instead of the operators of other languages.
fn instead_of(sign: char) -> Option<&'static str> {
    match sign {
        '&' => Some("operators are words: write AND"),
        '|' => Some("operators are words: write OR"),
        '!' => Some("operators are words: write NOT"),
        _ => None,
    }
}
