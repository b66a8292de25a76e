//! The example `shared_image`.
#![cfg(target_os = "linux")] // others do not tell what is shared

mod support;

#[test]
fn four_workers_see_an_image_that_is_in_memory_once() {
    let example = support::run("shared_image", &["128"]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = example.stdout.lines().collect();
    assert_eq!(lines[0], "the image has 128 MiB");
    for (viewer, line) in (1..=4).zip(&lines[1..5]) {
        let sees = support::number_after(line, &format!("Viewer-{viewer}: sees "));
        let alone = support::number_after(line, " MiB, ");
        assert!((128..160).contains(&sees), "{line}");
        assert!(alone < 16, "it has a copy: {line}");
    }
    let together = support::number_after(lines[5], "main and 4 viewers use ");
    assert!((128..192).contains(&together), "one image and five programs: {}", lines[5]);
    assert_eq!(lines.len(), 6);
}
