//! The example `pool_five_tasks`.

mod support;

#[test]
fn each_task_is_called_back_once_before_the_pool_is_joined() {
    let example = support::run("pool_five_tasks", &[]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = example.stdout.lines().collect();
    assert_eq!(lines.last(), Some(&"all workers have ended"));
    assert_eq!(lines.len(), 7, "{}", example.stdout);
    for number in 1..=5 {
        let begin = format!("task {number}: Worker-");
        let mut of_task = lines.iter().filter_map(|line| line.strip_prefix(&begin));
        let (worker, time) = of_task
            .next()
            .and_then(|line| line.split_once(" slept for "))
            .unwrap_or_else(|| panic!("no result of task {number}: {}", example.stdout));
        assert!((1..=4).contains(&worker.parse::<u32>().expect("workers are numbered")), "{worker}");
        let time = time.strip_suffix(" ms").and_then(|time| time.parse::<u64>().ok());
        assert!(time.is_some_and(|time| (50..=300).contains(&time)), "{time:?}");
        assert_eq!(of_task.next(), None, "task {number} was called back twice");
    }
    assert_eq!(lines.iter().filter(|line| **line == "five tasks are submitted").count(), 1);
}
