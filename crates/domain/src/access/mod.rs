//! What a key may do: permissions and endpoints that are granted, and the questions that callers ask about them.

pub mod endpoint;
mod excess;
pub mod expression;
mod index;
pub mod permission;
mod projects;
mod set;

pub use endpoint::{Ambiguity, Endpoint, EndpointPattern};
pub use excess::{Excess, Holding, MissingProject};
pub use expression::{Expression, ExpressionFault};
pub use permission::{Grant, Permission};
pub use projects::{ProjectGrant, Projects};
pub use set::Access;

#[cfg(test)]
mod tests;
