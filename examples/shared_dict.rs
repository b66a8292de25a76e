//! A dictionary that lives in a manager's process, and that four workers fill together: each counts the words of its share of a text.
//!
//! Adding to an entry is a method, done at the server while nobody else is at the dictionary. So nothing is lost, as it is when workers get
//! a value, change their copy, and put that back.

use std::collections::BTreeMap;

use offspring::{CallError, Manager, spawn};

/// A type with ordinary methods.
#[derive(Default)]
struct Words(BTreeMap<String, u64>);

#[offspring::service]
impl Words {
    pub fn add(&mut self, word: String, count: u64) -> u64 {
        let entry = self.0.entry(word).or_default();
        *entry += count;
        *entry
    }

    pub fn get(&self, word: String) -> Option<u64> {
        self.0.get(&word).copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn most(&self, count: usize) -> Vec<(String, u64)> {
        let mut words: Vec<_> = self.0.iter().map(|(word, count)| (word.clone(), *count)).collect();
        words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        words.truncate(count);
        words
    }
}

/// What a worker does with its share.
#[allow(clippy::needless_pass_by_value)] // what a process gets is its own
fn count(words: WordsProxy, lines: Vec<String>) -> Result<u64, String> {
    let all = lines.iter().flat_map(|line| line.split_whitespace());
    let added = all.map(|word| words.add(word.to_lowercase(), 1)).collect::<Result<Vec<_>, CallError>>();
    added.map(|added| added.len() as u64).map_err(|error| error.to_string())
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let manager = Manager::start()?;
    let words = manager.create(Words::default, ())?;

    let text = "the cat sat on the mat\nthe dog sat on the cat\nand the mat sat still\n".repeat(40);
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    let shares = lines.chunks(lines.len().div_ceil(4));
    let workers =
        shares.map(|share| spawn(count, (words.clone(), share.to_vec()))).collect::<Result<Vec<_>, _>>()?;
    let mut sum = 0;
    for worker in workers {
        sum += worker.join()?.map_err(anyhow::Error::msg)?;
    }

    println!("{sum} words, {} of them different", words.len()?);
    for (word, count) in words.most(3)? {
        println!("{word}: {count}");
    }
    println!("bird: {:?}", words.get("bird".into())?);
    Ok(())
}
