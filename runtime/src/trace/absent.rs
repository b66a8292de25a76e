//! What there is of [`trace`](super) without the feature: nothing happens.

#![allow(clippy::unused_self)] // their twins have something

use std::fmt::Display;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug)]
pub(crate) struct Origin;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line;

#[derive(Debug)]
pub(crate) struct Source;

#[derive(Clone, Debug)]
pub(crate) struct Context;

#[derive(Debug)]
pub(crate) struct Listening;

impl Origin {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn connect(&self) -> (Line, Source) {
        (Line, Source)
    }

    pub(crate) fn started(&self, _name: &str, _pid: u32) {}

    pub(crate) fn ended(&self, _name: &str, _pid: u32, _how: impl Display) {}

    pub(crate) fn failed(&self, _context: &Context, _why: impl Display, _worker: Option<(&str, u32)>) {}

    pub(crate) fn closed(&self, _why: impl Display) {}

    pub(crate) fn settle(&self) {}
}

impl Context {
    pub(crate) fn here() -> Self {
        Self
    }

    pub(crate) fn word(&self) -> u64 {
        0
    }
}

impl Listening {
    pub(crate) fn settle(self) {}
}

pub(crate) fn listen(_line: Line) -> Listening {
    Listening
}

pub(crate) fn enter(_word: u64) {}

pub(crate) fn leave() {}

pub(crate) fn failed<W: Display>(_why: impl FnOnce() -> W) {}
