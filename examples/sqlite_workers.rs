//! Workers with a state: each holds an open `SQLite` database, and answers queries with it. One is killed in the middle of
//! a query: that query fails, and the worker in its place opens the database again.
//!
//! It prints answers, what became of the query whose worker was killed, and who has opened the database: three workers,
//! and the one that came in the place of another.
//!
//! A connection must not be carried from one process to another (<https://www.sqlite.org/howtocorrupt.html>, section 2.6). The
//! initializer opens one in each worker, once, where it stays with the statements that it has prepared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use offspring::pool::stateful;
use offspring::sync::Barrier;
use offspring::{Pool, Sender, channel};
use rusqlite::{Connection, OpenFlags, Transaction};

const WORKERS: usize = 3;
const STATIONS: u32 = 50;
const DAYS: u32 = 1000;

/// The initializer. What it returns is the worker's state; if it panics, the pool says why and takes no tasks.
#[allow(clippy::needless_pass_by_value)] // what an initializer gets is its own
fn open(database: PathBuf) -> Connection {
    let connect = || {
        let connection = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(60))?; // one writes at a time
        connection.execute("INSERT INTO openings VALUES (?)", [offspring::current().name])?;
        Ok(connection)
    };
    connect().unwrap_or_else(|error: rusqlite::Error| panic!("cannot open {}: {error}", database.display()))
}

/// A task, which is given the worker's state: the lowest, the mean and the highest temperature of a station, in tenths of a
/// degree.
fn climate(connection: &mut Connection, station: u32) -> Result<(i64, f64, i64), String> {
    let query = || {
        let mut statement = connection.prepare_cached(
            "SELECT min(temperature), avg(temperature), max(temperature) FROM weather WHERE station = ?",
        )?;
        statement.query_row([station], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    query().map_err(|error: rusqlite::Error| error.to_string())
}

/// A task that does not end, and says who is at it.
#[allow(clippy::needless_pass_by_value)] // what a task gets is its own
fn count_for_ever(connection: &mut Connection, begun: Sender<u32>) -> Result<i64, String> {
    const ENDLESS: &str =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    begun.send(std::process::id()).map_err(|error| error.to_string())?;
    connection.query_row(ENDLESS, [], |row| row.get(0)).map_err(|error| error.to_string())
}

/// A task that ends when all workers have it.
#[allow(clippy::needless_pass_by_value)] // what a task gets is its own
fn meet(barrier: Barrier) -> bool {
    barrier.wait().is_ok()
}

/// Makes the database: the weather of some stations for some days.
fn fill(database: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(database)?;
    // With a log ahead of the file, who reads does not wait for who writes.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE openings (worker TEXT);
         CREATE TABLE weather (station INTEGER, day INTEGER, temperature INTEGER, PRIMARY KEY (station, day));",
    )?;
    measure(&transaction)?;
    transaction.commit()
}

fn measure(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO weather VALUES (?, ?, ?)")?;
    for (station, day) in (0..STATIONS).flat_map(|station| (0..DAYS).map(move |day| (station, day))) {
        let temperature = i64::from((station * 31 + day * 17) % 400) - 100;
        insert.execute((station, day, temperature))?;
    }
    Ok(())
}

fn ask_all(pool: &Pool) -> anyhow::Result<Vec<(i64, f64, i64)>> {
    let answers = pool.try_map(stateful(climate), 0..STATIONS)?;
    answers.into_iter().collect::<Result<_, _>>().map_err(anyhow::Error::msg)
}

/// `kill -9`: what the system does to who takes too much memory, too.
fn kill(pid: u32) -> anyhow::Result<()> {
    #[cfg(unix)]
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into()?), nix::sys::signal::Signal::SIGKILL)?;
    #[cfg(windows)]
    offspring::subprocess::check_call(["taskkill", "/F", "/PID", &pid.to_string()])?;
    Ok(())
}

fn show(database: PathBuf) -> anyhow::Result<()> {
    let pool =
        Pool::builder().workers(WORKERS).name("reader").initializer(open, (database.clone(),)).start()?;
    let answers = ask_all(&pool)?;
    for (station, (lowest, mean, highest)) in answers.iter().enumerate().step_by(10) {
        println!("station {station}: from {lowest} to {highest}, {mean:.1} in the mean");
    }

    let (begun, has_begun) = channel::channel()?;
    let task = pool.submit(stateful(count_for_ever), (begun,))?;
    kill(has_begun.recv()?)?;
    let error = task.get().err().context("the query has ended by itself")?;
    println!("the query that does not end: {error}");

    ensure!(ask_all(&pool)? == answers, "the answers have changed");
    println!("the answers to {STATIONS} queries are what they were");
    let barrier = Barrier::new(WORKERS.try_into()?)?; // a handle: each task gets one
    ensure!(pool.try_map(meet, vec![barrier; WORKERS])?.into_iter().all(|met| met), "a worker was missing");
    pool.join(); // each worker closes its connection

    let connection = Connection::open(database)?;
    let mut statement = connection.prepare("SELECT worker FROM openings ORDER BY worker")?;
    let workers = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    println!("opened by {}", workers.join(", "));
    Ok(())
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("offspring-sqlite-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let database = folder.join("weather.db");
    let shown = fill(&database).map_err(anyhow::Error::from).and_then(|()| show(database));
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    shown
}
