//! Services: private and public, generic, in a module, with a renamed crate, with what proxies do not have.

mod scores {
    use std::collections::BTreeMap;

    pub struct Scores(pub BTreeMap<String, u32>);

    #[offspring::service]
    impl Scores {
        pub const LIMIT: u32 = 10;

        /// Made here.
        pub fn new() -> Self {
            Self(BTreeMap::new())
        }

        pub fn set(&mut self, mut name: String, score: u32) {
            name.make_ascii_lowercase();
            self.0.insert(name, self.limited(score));
        }

        pub fn best(&self) -> Option<(String, u32)> {
            self.0.iter().max_by_key(|(_, score)| **score).map(|(name, score)| (name.clone(), *score))
        }

        fn limited(&self, score: u32) -> u32 {
            score.min(Self::LIMIT)
        }
    }
}

struct Stack<T, const N: usize>(Vec<T>);

use offspring as os;

#[os::service(crate = os)]
impl<T: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static, const N: usize> Stack<T, N> {
    pub fn push(&mut self, item: T) -> Result<(), T> {
        if self.0.len() == N {
            return Err(item);
        }
        self.0.push(item);
        Ok(())
    }

    pub async fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
}

#[offspring::main]
fn main() {
    let manager = offspring::Manager::start().unwrap();
    let scores: scores::ScoresProxy = manager.create(scores::Scores::new, ()).unwrap();
    scores.set("Ann".into(), 12).unwrap();
    assert_eq!(scores.best().unwrap(), Some(("ann".into(), 10)));
    let stack: StackProxy<u8, 1> = manager.create(|| Stack(Vec::new()), ()).unwrap();
    assert_eq!(stack.push(1).unwrap(), Ok(()));
    assert_eq!(stack.push(2).unwrap(), Err(2));
    assert_eq!(stack.pop().unwrap(), Some(1));
}
