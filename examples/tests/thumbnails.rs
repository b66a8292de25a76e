//! The example `thumbnails`.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};

mod support;

/// How large the picture in a file is, decoded from its first to its last pixel.
fn size(file: &Path) -> (u32, u32) {
    let picture = image::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    (picture.width(), picture.height())
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it is read").file_name().into_string().expect("its name is text"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_that_crashes_the_decoder_is_reported_and_all_others_have_thumbnails() {
    let example = support::run("thumbnails", &[]);
    assert_eq!(example.code, Some(0), "{}", example.stderr);
    let lines: Vec<&str> = example.stdout.lines().collect();
    let crash = lines[3].split(", core dumped").next().expect("a line").trim_end_matches(')');
    assert_eq!(crash, "corrupt.jpg: no thumbnail, it crashes the decoder (signal 6 (SIGABRT");
    let thumbnails = [
        (0, "autumn.jpg", "2400 x 1800", (256, 192)),
        (1, "bay.jpg", "1800 x 2400", (192, 256)),
        (2, "chart.png", "1600 x 1200", (256, 192)),
        (4, "dunes.jpg", "3000 x 1000", (256, 85)),
        (5, "evening.png", "1200 x 1200", (256, 256)),
        (6, "fog.jpg", "2000 x 1500", (256, 192)),
        (7, "glacier.jpg", "1500 x 2000", (192, 256)),
    ];
    let summary = lines[8].strip_prefix("7 thumbnails in ").and_then(|rest| rest.strip_suffix(", 1 failed"));
    let directory = PathBuf::from(summary.unwrap_or_else(|| panic!("{}", example.stdout)));
    for (line, name, picture, (width, height)) in thumbnails {
        assert_eq!(lines[line], format!("{name}: {picture}, its thumbnail {width} x {height}"));
        assert_eq!(size(&directory.join(name)), (width, height));
    }
    assert_eq!(lines.len(), 9, "{}", example.stdout);
    assert_eq!(names(&directory).len(), 7);
    // The runtime's last words in the worker, and a backtrace if the environment asks for that.
    assert!(
        example.stderr.starts_with("memory allocation of 12884508675 bytes failed"),
        "{}",
        example.stderr
    );
    assert_eq!(example.stderr.matches("memory allocation").count(), 1, "{}", example.stderr);
    fs::remove_dir_all(directory.parent().expect("it is in a folder")).expect("it was left to us");
}

#[test]
fn a_folder_of_ones_own_is_left_as_it_is_but_for_its_thumbnails() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("pictures-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the directory for tests is there");
    RgbImage::new(640, 480).save(folder.join("good.PNG")).expect("it is written");
    RgbImage::new(10, 20)
        .save_with_format(folder.join("tiny.jpeg"), ImageFormat::Jpeg)
        .expect("it is written");
    let mut cut = fs::read(folder.join("good.PNG")).expect("it is read");
    cut.truncate(cut.len() / 2);
    fs::write(folder.join("cut.png"), cut).expect("it is written");
    fs::write(folder.join("notes.txt"), "no picture").expect("it is written");

    let path = folder.to_str().expect("its name is text");
    let example = support::run("thumbnails", &[path]);
    let lines: Vec<&str> = example.stdout.lines().collect();
    // What is no whole picture is an error of its task: no worker dies of it.
    assert!(lines[0].starts_with("cut.png: no thumbnail, "), "{}", lines[0]);
    assert!(!lines[0].contains("crashes"), "{}", lines[0]);
    let rest = [
        "good.PNG: 640 x 480, its thumbnail 256 x 192".to_string(),
        "tiny.jpeg: 10 x 20, its thumbnail 10 x 20".to_string(),
        format!("2 thumbnails in {path}/thumbnails, 1 failed"),
    ];
    assert_eq!(lines[1..], rest);
    assert_eq!((example.code, example.stderr.as_str()), (Some(1), ""));
    assert_eq!(names(&folder), ["cut.png", "good.PNG", "notes.txt", "thumbnails", "tiny.jpeg"]);
    assert_eq!(size(&folder.join("thumbnails/good.PNG")), (256, 192));
    fs::remove_dir_all(folder).expect("it is ours");
}

#[test]
fn a_folder_that_is_not_there_is_said_to_be_unreadable() {
    let missing = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("is/not/there");
    let example = support::run("thumbnails", &[missing.to_str().expect("its name is text")]);
    assert_eq!((example.code, example.stdout.as_str()), (Some(1), ""));
    assert!(example.stderr.contains("cannot read "), "{}", example.stderr);
}
