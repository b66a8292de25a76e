//! Two attributes that would both make a test.

#[offspring::test]
#[test]
fn below() {}

#[offspring::test]
#[core::prelude::v1::test]
fn spelled_out() {}

fn main() {}
