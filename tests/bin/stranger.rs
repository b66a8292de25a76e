//! A program that is nobody's child of `offspring`: it listens at an address, or connects to one, as its arguments say.

use std::io::Write;
use std::time::Duration;

use offspring::net::{self, Address, Builder, Client};

/// Says a line at once, so that who reads it knows that this process has come so far.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone is no reason to stop.
    let _unread = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[offspring::main]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, address, rest @ ..] = &arguments[..] else { panic!("a mode and an address") };
    let address: Address = address.parse().expect("an address");
    if let [user] = rest {
        let user = nix::unistd::Uid::from_raw(user.parse().expect("a number"));
        nix::unistd::setuid(user).expect("a test that needs root");
    }
    match &mode[..] {
        "ask" => ask(&address),
        "listen" => listen(&address),
        "listen-to-all" => {
            let listener = Builder::new().allow_any_user().bind::<String, u64>(&address).expect("it is free");
            say(format_args!("listening"));
            let connection = listener.accept().expect("somebody comes");
            say(format_args!("accepted"));
            let _gone = connection.recv();
        }
        "die-of-a-client" => {
            let listener = net::Listener::<String, u64>::bind(&address).expect("it is free");
            say(format_args!("listening"));
            offspring::wait(&[&listener], None).expect("it can be waited for");
            nix::sys::signal::raise(nix::sys::signal::SIGKILL).expect("it can be killed");
        }
        "connect-for-ever" => connect_for_ever(&address),
        _ => panic!("no mode `{mode}`"),
    }
}

/// Asks for the square of seven.
fn ask(address: &Address) {
    match Client::new().allow_uid(0).timeout(Duration::from_secs(30)).connect::<u64, String>(address) {
        Ok(connection) => {
            connection.send(7).expect("somebody is there");
            say(format_args!("{}", connection.recv().expect("it is answered")));
        }
        Err(error) => say(format_args!("{error:?}")),
    }
}

/// Listens, and accepts nobody, until it is killed.
fn listen(address: &Address) {
    let _listener = net::Listener::<String, u64>::bind(address).expect("it is free");
    say(format_args!("listening"));
    loop {
        std::thread::park();
    }
}

/// Connects again and again, until it is killed.
fn connect_for_ever(address: &Address) {
    loop {
        let connection = net::connect::<u64, String>(address).expect("somebody accepts");
        let _gone = connection.send(1);
    }
}
