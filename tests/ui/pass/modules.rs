//! Two classes of one name in two modules have two keys.

mod left {
    use offspring::{Process, Run};
    use serde::{Deserialize, Serialize};

    #[derive(Process, Serialize, Deserialize)]
    pub(crate) struct Job;

    impl Run for Job {
        type Output = ();
        fn run(self) {}
    }
}

mod right {
    use offspring::{Process, Run};
    use serde::{Deserialize, Serialize};

    #[derive(Process, Serialize, Deserialize)]
    pub(crate) struct Job {
        pub(crate) size: u8,
    }

    impl Run for Job {
        type Output = u8;
        fn run(self) -> u8 {
            self.size
        }
    }
}

#[offspring::main]
fn main() {
    use offspring::{Process, Run};

    let left = <left::Job as Process>::CLASS;
    let right = <right::Job as Process>::CLASS;
    assert!(left.key.ends_with("::left::Job"), "{}", left.key);
    assert!(right.key.ends_with("::right::Job"), "{}", right.key);
    assert_eq!(left.name, right.name);
    assert_ne!(left.schema, right.schema);
    left::Job.run();
    assert_eq!(right::Job { size: 3 }.run(), 3);
}
