//! Programs that meet at an address: a counter of words, and the programs that ask it.
//!
//! Without an argument it is the counter, which starts three programs that know its address and nothing else. With an
//! address it is such a program: start one by hand while another counter listens.

use std::collections::BTreeMap;

use anyhow::Context;
use offspring::net::{self, Address, Connection, Listener};
use offspring::subprocess::Command;

type Words = BTreeMap<String, usize>;

fn main() -> anyhow::Result<()> {
    offspring::init();
    match std::env::args().nth(1) {
        None => count(),
        Some(address) => ask(&address.parse()?),
    }
}

fn count() -> anyhow::Result<()> {
    // It sends counts of words, and receives texts.
    let listener = Listener::<Words, String>::new()?;
    let program = std::env::current_exe()?;
    let programs: Vec<_> = (0..3)
        .map(|_| Command::new(&program).arg(listener.address().to_string()).start())
        .collect::<Result<_, _>>()?;
    std::thread::scope(|scope| {
        for _ in &programs {
            let (connection, peer) = listener.accept_with_peer()?;
            let pid = peer.pid().context("it is on this machine")?;
            println!("process {pid} has come: {}", programs.iter().any(|program| program.pid() == pid));
            scope.spawn(move || answer(&connection));
        }
        anyhow::Ok(())
    })?;
    for program in &programs {
        anyhow::ensure!(program.join()?.success(), "a program failed");
    }
    // Nobody listens there any more.
    let address = listener.address().clone();
    drop(listener);
    if let Err(error) = net::connect::<String, Words>(&address) {
        let error = error.to_string().replace(&address.to_string(), "ADDRESS");
        println!("{error}");
    }
    Ok(())
}

/// Counts the words of each text, until no more come.
fn answer(connection: &Connection<Words, String>) {
    while let Ok(text) = connection.recv() {
        let mut words = Words::new();
        text.split_whitespace().for_each(|word| *words.entry(word.to_owned()).or_default() += 1);
        if connection.send(words).is_err() {
            return; // whoever asked has gone
        }
    }
}

fn ask(address: &Address) -> anyhow::Result<()> {
    let connection = net::connect::<String, Words>(address)?;
    connection.send("to be or not to be".into())?;
    let words = connection.recv()?;
    println!("{words:?}");
    Ok(())
}
