//! A worker class with a request pipe, used through ordinary methods of an object of the parent's.

use std::collections::HashMap;

use anyhow::bail;
use offspring::{Child, Connection, JoinError, Process, RecvError, Run, Stdio};
use serde::{Deserialize, Serialize};

/// What the parent holds in hand. That there is a process behind it shows in nothing but the errors.
struct Calculator {
    process: Child<usize>,
    pipe: Connection<Request, Option<i64>>,
}

impl Calculator {
    fn start() -> anyhow::Result<Self> {
        let (pipe, theirs) = offspring::pipe()?;
        // A panic in there comes back as an error; it need not be printed as well.
        let process = Server { pipe: theirs }.builder().name("Calculator").stderr(Stdio::null()).start()?;
        Ok(Self { process, pipe })
    }

    /// Stores a number under a name, and returns what was there.
    fn store(&mut self, name: &str, number: i64) -> anyhow::Result<Option<i64>> {
        self.ask(Request::Store(name.into(), number))
    }

    /// The number that was stored under a name.
    fn recall(&mut self, name: &str) -> anyhow::Result<Option<i64>> {
        self.ask(Request::Recall(name.into()))
    }

    /// Divides what is stored under one name by what is stored under another. Nothing, if nothing is stored there.
    fn divide(&mut self, dividend: &str, divisor: &str) -> anyhow::Result<Option<i64>> {
        self.ask(Request::Divide(dividend.into(), divisor.into()))
    }

    /// How many requests it has served.
    fn finish(self) -> Result<usize, JoinError> {
        drop(self.pipe); // the server hears no more, and returns
        self.process.join()
    }

    /// Asks, and waits for the answer. It is `&mut self`, so that no two threads take each other's answers.
    fn ask(&mut self, request: Request) -> anyhow::Result<Option<i64>> {
        let answer = match self.pipe.send(request) {
            Ok(()) => self.pipe.recv(),
            Err(error) if error.is_disconnected() => Err(RecvError::Disconnected),
            Err(error) => return Err(error.into()),
        };
        if let Err(RecvError::Disconnected) = answer {
            self.process.join()?; // says what became of it
            bail!("the calculator has finished");
        }
        Ok(answer?)
    }
}

#[derive(Serialize, Deserialize)]
enum Request {
    Store(String, i64),
    Recall(String),
    Divide(String, String),
}

/// The process class behind it.
#[derive(Process, Serialize, Deserialize)]
struct Server {
    pipe: Connection<Option<i64>, Request>,
}

impl Run for Server {
    type Output = usize;

    fn run(self) -> usize {
        let mut memory = HashMap::new();
        let mut served = 0;
        while let Ok(request) = self.pipe.recv() {
            let answer = match request {
                Request::Store(name, number) => memory.insert(name, number),
                Request::Recall(name) => memory.get(&name).copied(),
                Request::Divide(dividend, divisor) => memory
                    .get(&dividend)
                    .zip(memory.get(&divisor))
                    .map(|(dividend, divisor)| dividend / divisor),
            };
            if self.pipe.send(answer).is_err() {
                break; // nobody wants to know any more
            }
            served += 1;
        }
        served
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let mut calculator = Calculator::start()?;
    println!("there was {:?}", calculator.store("x", 6)?);
    println!("there was {:?}", calculator.store("x", 91)?);
    calculator.store("y", 7)?;
    println!(
        "x is {:?}, y is {:?}, z is {:?}",
        calculator.recall("x")?,
        calculator.recall("y")?,
        calculator.recall("z")?
    );
    println!("x / y is {:?}, x / z is {:?}", calculator.divide("x", "y")?, calculator.divide("x", "z")?);
    println!("it has served {} requests", calculator.finish()?);

    // What goes wrong in the process is an error of the method that was called.
    let mut calculator = Calculator::start()?;
    calculator.store("zero", 0)?;
    match calculator.divide("zero", "zero") {
        Ok(quotient) => println!("0 / 0 is {quotient:?}"),
        Err(error) => println!("0 / 0: {error}"),
    }

    let mut calculator = Calculator::start()?;
    calculator.process.kill()?;
    match calculator.recall("x") {
        Ok(number) => println!("x is {number:?}"),
        Err(error) => println!("x: {error}"),
    }
    Ok(())
}
