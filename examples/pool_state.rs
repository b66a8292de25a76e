//! Workers with a state: each opens its own book once, and every task writes in the book of its worker.

#![allow(clippy::needless_pass_by_value)] // what a task gets is its own

use std::collections::HashMap;

use offspring::Pool;
use offspring::pool::with_state;

/// What would be a connection, a model, an open database.
struct Book {
    title: String,
    words: HashMap<String, u64>,
}

fn open(title: String) -> Book {
    Book { title: format!("{title} of {}", offspring::current().name), words: HashMap::new() }
}

fn count(line: String) -> usize {
    with_state(|book: &mut Book| {
        let words = line.split_whitespace();
        words.map(|word| *book.words.entry(word.to_lowercase()).or_default() += 1).count()
    })
}

fn report() -> (String, HashMap<String, u64>) {
    with_state(|book: &mut Book| (book.title.clone(), book.words.clone()))
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let pool = Pool::builder().workers(2).name("clerk").initializer(open, ("book".to_string(),)).start()?;
    let text = "the cat sat on the mat\nthe dog sat on the cat\nand the mat sat still\n".repeat(100);
    let lines = text.lines().map(str::to_string).collect::<Vec<_>>();
    let words: usize = pool.try_map(count, lines)?.into_iter().sum();

    let mut totals = HashMap::<String, u64>::new();
    let mut titles = Vec::new();
    for book in pool.broadcast(report, ())? {
        let (title, counted) = book?;
        titles.push(title);
        for (word, count) in counted {
            *totals.entry(word).or_default() += count;
        }
    }
    titles.sort();
    println!("{}", titles.join(", "));
    println!("{words} words; the: {}, sat: {}, still: {}", totals["the"], totals["sat"], totals["still"]);
    Ok(())
}
