//! Fields that hold no data, or that serde is told to treat specially, may mention references.

use offspring::{Process, Run};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::marker::PhantomData;

#[derive(Process, Serialize, Deserialize)]
struct Job {
    #[serde(skip)]
    cached: &'static str,
    #[serde(default, deserialize_with = "leak")]
    levels: Vec<&'static str>,
    title: Cow<'static, str>,
    marker: PhantomData<&'static str>,
}

fn leak<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static str>, D::Error> {
    Ok(vec![String::deserialize(deserializer)?.leak()])
}

impl Run for Job {
    type Output = String;
    fn run(self) -> String {
        format!("{:?}{}{}", self.levels, self.title, self.cached)
    }
}

#[offspring::main]
fn main() {
    let job = Job {
        cached: "",
        levels: vec!["info"],
        title: Cow::Borrowed(": "),
        marker: PhantomData,
    };
    assert_eq!(job.run(), "[\"info\"]: ");
    assert!(Job::CLASS.key.ends_with("::Job"));
}
