//! What outlives the server: the tasks that are open and the results that nobody has got, in a file.
//!
//! With the feature `persist` that is a database of [redb](https://docs.rs/redb): one file, whose every change is whole and on the disk when it
//! returns, or has not been made. A server that is killed, or whose machine loses power, finds it as it was after the last change. Only one
//! process has it open. When a change fails, as on a disk that is full, it is opened anew for the next: that one may find room.

use super::TaskError;
use super::message::{Epoch, Index, Number, Outcome};

/// What a journal has.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) epoch: Epoch,
    /// The number of the next task.
    pub(super) next: Number,
    /// In their order.
    pub(super) tasks: Vec<(Number, Vec<u8>)>,
    pub(super) results: Vec<(Number, Outcome)>,
    pub(super) producers: Vec<Known>,
    /// Which task is whose; [nobody's](NOBODY), when its producer does not come back.
    pub(super) owners: Vec<(Number, String, Index)>,
}

/// A producer that has put tasks.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    /// The index of its next task.
    pub(super) next: Index,
    /// Who had the name last. A journal of a version that did not write it down has none.
    pub(super) life: Option<u64>,
}

/// What no producer is called.
pub(super) const NOBODY: &str = "";

/// Where it is written down, if it is.
#[derive(Debug)]
pub(super) enum Journal {
    Nowhere,
    #[cfg(feature = "persist")]
    File(file::File),
}

/// Does it where there is a journal.
macro_rules! in_file {
    ($journal:expr, $file:ident => $action:expr, else $nothing:expr) => {
        match $journal {
            Journal::Nowhere => Ok($nothing),
            #[cfg(feature = "persist")]
            Journal::File($file) => $action.map_err(|error| {
                $file.close();
                TaskError::Journal(error.to_string())
            }),
        }
    };
}

#[cfg_attr(not(feature = "persist"), allow(unused_variables, clippy::unused_self, clippy::unnecessary_wraps))]
impl Journal {
    /// What is there from earlier lives; with a fresh epoch if this is the first.
    pub(super) fn load(&self, fresh: Epoch) -> Result<Kept, TaskError> {
        in_file!(self, file => file.load(fresh), else Kept { epoch: fresh, ..Kept::default() })
    }

    /// Tasks with numbers from the first on; those of a producer with indices from there on, and who it is.
    pub(super) fn put(
        &self,
        first: Number,
        tasks: &[Vec<u8>],
        owner: Option<(&str, Index, Option<u64>)>,
    ) -> Result<(), TaskError> {
        in_file!(self, file => file.put(first, tasks, owner), else ())
    }

    /// A name belongs to who has come now.
    pub(super) fn enter(&self, producer: &str, next: Index, life: u64) -> Result<(), TaskError> {
        in_file!(self, file => file.enter(producer, next, life), else ())
    }

    /// A producer is known no more, and these tasks and results are nobody's.
    pub(super) fn abandon(&self, producer: &str, numbers: &[Number]) -> Result<(), TaskError> {
        in_file!(self, file => file.abandon(producer, numbers), else ())
    }

    /// A task has its result.
    pub(super) fn settle(&self, number: Number, outcome: &Outcome) -> Result<(), TaskError> {
        in_file!(self, file => file.settle(number, outcome), else ())
    }

    /// Results have been got, or nobody wants them.
    pub(super) fn forget(&self, numbers: &[Number]) -> Result<(), TaskError> {
        in_file!(self, file => file.forget(numbers), else ())
    }
}

#[cfg(feature = "persist")]
#[expect(clippy::result_large_err, reason = "the errors of redb are rare, and go no further than this file")]
pub(super) mod file {
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use redb::{Database, Error, ReadableTable, TableDefinition, WriteTransaction};

    use super::{Epoch, Index, Kept, Known, NOBODY, Number};
    use crate::tasks::TaskError;
    use crate::tasks::message::Outcome;
    use crate::tasks::message::{Types, decode, encode};

    const TASKS: TableDefinition<'_, Number, &[u8]> = TableDefinition::new("tasks");
    const RESULTS: TableDefinition<'_, Number, &[u8]> = TableDefinition::new("results");
    const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
    const TYPES: TableDefinition<'_, (), (&str, &str)> = TableDefinition::new("types");

    const PRODUCERS: TableDefinition<'_, &str, Index> = TableDefinition::new("producers");
    /// Who has their names.
    const LIVES: TableDefinition<'_, &str, u64> = TableDefinition::new("lives");
    const OWNERS: TableDefinition<'_, Number, (&str, Index)> = TableDefinition::new("owners");

    const EPOCH: &str = "epoch";
    const NEXT: &str = "next";

    #[derive(Debug)]
    pub(in crate::tasks) struct File {
        path: PathBuf,
        /// `None` when a change has failed: it takes no other.
        database: Mutex<Option<Database>>,
    }

    fn failed(error: impl Into<Error>) -> TaskError {
        TaskError::Journal(error.into().to_string())
    }

    impl File {
        /// Opens the journal of a server, or begins it.
        pub(in crate::tasks) fn open(path: &Path, types: &Types) -> Result<Self, TaskError> {
            let path = std::path::absolute(path)?;
            let database = Database::create(&path).map_err(failed)?;
            match claim(&database, types).map_err(failed)? {
                None => Ok(Self { path, database: Mutex::new(Some(database)) }),
                Some(other) => Err(TaskError::OtherTypes { task: other.task, result: other.result }),
            }
        }

        fn database(&self) -> MutexGuard<'_, Option<Database>> {
            self.database.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn begin_write(&self) -> Result<WriteTransaction, Error> {
            let mut database = self.database();
            let database = match &mut *database {
                Some(open) => open,
                closed => closed.insert(Database::open(&self.path)?),
            };
            Ok(database.begin_write()?)
        }

        /// Has it opened anew by the next change.
        pub(super) fn close(&self) {
            *self.database() = None;
        }

        pub(super) fn load(&self, fresh: Epoch) -> Result<Kept, Error> {
            let change = self.begin_write()?;
            let kept = {
                let mut numbers = change.open_table(NUMBERS)?;
                let epoch = numbers.get(EPOCH)?.map_or(fresh, |epoch| epoch.value());
                numbers.insert(EPOCH, epoch)?;
                let next = numbers.get(NEXT)?.map_or(0, |next| next.value());
                let mut kept = Kept { epoch, next, ..Kept::default() };
                for entry in change.open_table(TASKS)?.iter()? {
                    let (number, task) = entry?;
                    kept.tasks.push((number.value(), task.value().to_vec()));
                }
                for entry in change.open_table(RESULTS)?.iter()? {
                    let (number, outcome) = entry?;
                    let outcome =
                        decode(outcome.value()).map_err(|error| Error::Corrupted(error.to_string()))?;
                    kept.results.push((number.value(), outcome));
                }
                let lives = change.open_table(LIVES)?;
                for entry in change.open_table(PRODUCERS)?.iter()? {
                    let (name, next) = entry?;
                    let life = lives.get(name.value())?.map(|life| life.value());
                    let name = name.value().to_owned();
                    kept.producers.push(Known { name, next: next.value(), life });
                }
                for entry in change.open_table(OWNERS)?.iter()? {
                    let (number, owner) = entry?;
                    let (name, index) = owner.value();
                    kept.owners.push((number.value(), name.to_owned(), index));
                }
                kept
            };
            change.commit()?;
            Ok(kept)
        }

        pub(super) fn put(
            &self,
            first: Number,
            tasks: &[Vec<u8>],
            owner: Option<(&str, Index, Option<u64>)>,
        ) -> Result<(), Error> {
            let change = self.begin_write()?;
            {
                let mut table = change.open_table(TASKS)?;
                let mut next = first;
                for task in tasks {
                    table.insert(next, &task[..])?;
                    next += 1;
                }
                change.open_table(NUMBERS)?.insert(NEXT, next)?;
                if let Some((name, mut index, life)) = owner {
                    let mut owners = change.open_table(OWNERS)?;
                    for number in first..next {
                        owners.insert(number, (name, index))?;
                        index += 1;
                    }
                    change.open_table(PRODUCERS)?.insert(name, index)?;
                    if let Some(life) = life {
                        change.open_table(LIVES)?.insert(name, life)?;
                    }
                }
            }
            Ok(change.commit()?)
        }

        pub(super) fn enter(&self, producer: &str, next: Index, life: u64) -> Result<(), Error> {
            let change = self.begin_write()?;
            change.open_table(PRODUCERS)?.insert(producer, next)?;
            change.open_table(LIVES)?.insert(producer, life)?;
            Ok(change.commit()?)
        }

        pub(super) fn abandon(&self, producer: &str, numbers: &[Number]) -> Result<(), Error> {
            let change = self.begin_write()?;
            {
                let mut owners = change.open_table(OWNERS)?;
                for number in numbers {
                    owners.insert(number, (NOBODY, 0))?;
                }
                change.open_table(PRODUCERS)?.remove(producer)?;
                change.open_table(LIVES)?.remove(producer)?;
            }
            Ok(change.commit()?)
        }

        pub(super) fn settle(&self, number: Number, outcome: &Outcome) -> Result<(), Error> {
            let outcome = encode(outcome).map_err(|error| Error::Corrupted(error.to_string()))?;
            let change = self.begin_write()?;
            change.open_table(TASKS)?.remove(number)?;
            change.open_table(RESULTS)?.insert(number, &outcome[..])?;
            Ok(change.commit()?)
        }

        pub(super) fn forget(&self, numbers: &[Number]) -> Result<(), Error> {
            let change = self.begin_write()?;
            {
                let (mut results, mut owners) = (change.open_table(RESULTS)?, change.open_table(OWNERS)?);
                for number in numbers {
                    results.remove(number)?;
                    owners.remove(number)?;
                }
            }
            Ok(change.commit()?)
        }
    }

    /// Writes down the types of a new journal; those of one that has others.
    fn claim(database: &Database, types: &Types) -> Result<Option<Types>, Error> {
        let change = database.begin_write()?;
        let other = {
            let mut table = change.open_table(TYPES)?;
            let known = table.get(())?.map(|known| {
                let (task, result) = known.value();
                Types { task: task.to_owned(), result: result.to_owned() }
            });
            if known.is_none() {
                table.insert((), (types.task.as_str(), types.result.as_str()))?;
            }
            known.filter(|known| known != types)
        };
        change.commit()?;
        Ok(other)
    }
}
