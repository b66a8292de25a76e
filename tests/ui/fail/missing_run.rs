//! A class that nobody told what to do.

use offspring::Process;
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Job;

fn main() {}
