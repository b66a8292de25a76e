//! One runnable example per pattern: `cargo run --example NAME`.
//!
//! | name | shows |
//! |---|---|
//! | `downloader` | the main job: one process per file, a progress bar per child, typed errors |
//! | `subclass` | a process class: a struct with a `run` method |
//! | `function_target` | a function with arguments as the target of a process, with and without a name |
//! | `five_children` | five children that print their name, their parent's id and their own |
//! | `join_two` | two children: name, pid and `is_alive` before and after they are joined |
//! | `ten_children` | ten children, all started before the first is joined |
//! | `isolated_globals` | a global that a child changes is the child's alone |
//! | `daemon` | what becomes of children when `main` returns: one is waited for, one is terminated |
//! | `terminate` | ending a child, and the exit code that tells how a child ended |
//! | `zombie_orphan` | a child that is never joined and is no zombie; an orphan that knows that it is one |
//! | `raw_fork` | `fork(2)`, which returns twice, and `waitpid(2)` |
//! | `untrusted` | tasks that spin, hoard memory or crash, under a time limit |
//! | `call_program` | another program as a child: talking to it, and taking its output |
//! | `listener` | programs that know nothing of each other but an address |
//! | `task_queue` | a master and workers on any machines; one is killed, one is cut off, and no task is lost |
//! | `hidden_worker` | an application whose library hides a worker process (`safe-decoder/`) |
//! | `producers_consumers` | a channel with several processes at each end, and never more in it than is asked for |
//! | `shared_dict` | a dictionary in a process of its own, which four workers fill, and lose nothing |
//! | `shared_image` | one image of 1 GiB that four workers read where it lies |
//! | `request_pipe` | a worker class with a request pipe, used through ordinary methods of the parent's object |
//! | `ping_pong` | two processes and a pipe between them |
//! | `pool_squares` | a pool: `map`, tasks as they end, and one that kills its worker and fails alone |
//! | `pool_state` | workers that open something once and keep it from task to task |
//! | `pool_slice` | a slice in shared memory that workers change where it lies, and the range that one of them dies of |
//! | `pool_five_tasks` | five tasks on four workers, called back as they are done; `close` and `join` |
//! | `thumbnails` | a folder of pictures: the one that crashes its decoder is reported, the others have thumbnails |
//! | `word_count` | large text files, of which each worker reads ranges itself |
//! | `sqlite_workers` | a database in the hands of each worker; one that is killed is replaced, and opens it again |
//! | `long_computation` | progress while it runs; then a report, and a timeline to look at |
//! | `prefork_echo` | accepted sockets that are handed to workers; a worker that dies is replaced |
//! | `shared_histogram` | a lock whose holder is killed in between, and a next holder that repairs what it guards |
