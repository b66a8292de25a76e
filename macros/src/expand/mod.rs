//! What the macros become: one file per macro.

pub(crate) mod main;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod shareable;
pub(crate) mod test;
