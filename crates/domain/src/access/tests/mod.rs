//! The rules of access, as tables and properties.

mod bypasses;
mod expressions;
mod paths;
mod patterns;
mod permissions;
mod set;

use std::{fmt::Debug, str::FromStr};

use super::{Access, EndpointPattern, Grant};
use crate::{Invalid, id::RoleId};

fn read<T: FromStr<Err = Invalid> + Debug>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))).collect()
}

/// The access of a key with these permissions.
fn granted(permissions: &[&str]) -> Access {
    Access::new([], &read::<Grant>(permissions))
}

/// The access of a key with one role that allows these endpoints.
fn allowed(endpoints: &[&str]) -> Access {
    let role: RoleId = "role".parse().unwrap();
    Access::new([(&role, &[][..], &read::<EndpointPattern>(endpoints)[..])], &[])
}
