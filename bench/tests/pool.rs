//! The benchmark `pool` runs: once over, briefly, everybody.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Those whose pools are made by packages that pip installs.
const INSTALLED: [&str; 2] = ["loky", "mpire"];

#[test]
fn everybody_takes_part_or_is_named_as_absent() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pool");
    let mut work = Command::new(env!("CARGO_BIN_EXE_work"));
    let ran = work.args(["pool", "--quick", "--rounds", "1", "--out"]).arg(&out).output().unwrap();
    assert!(ran.status.success(), "{}: {}", ran.status, String::from_utf8_lossy(&ran.stderr));

    let results: Value = serde_json::from_slice(&fs::read(out.join("pool.json")).unwrap()).unwrap();
    assert_eq!(results["failures"], Value::Array(Vec::new()));
    let contestants = |part: &str| -> Vec<String> {
        let rows = results.pointer(part).and_then(Value::as_array).unwrap();
        rows.iter().map(|row| row["contestant"].as_str().unwrap().to_owned()).collect()
    };
    let absent = contestants("/absent");
    assert!(absent.iter().all(|who| INSTALLED.contains(&who.as_str())), "{absent:?} are absent");
    for part in ["/tiny", "/large", "/singles", "/even/runs", "/skewed/runs", "/watched", "/idle", "/lives"] {
        let there = contestants(part);
        for who in ["offspring", "python-pool", "python-executor", "loky", "mpire"] {
            assert_ne!(
                there.iter().any(|id| id == who),
                absent.iter().any(|id| id == who),
                "{who} in {part}"
            );
        }
    }
    for who in ["offspring", "rayon"] {
        assert!(contestants("/slices").iter().any(|id| id == who), "{who} works at slices");
    }

    let tables = fs::read_to_string(out.join("pool.md")).unwrap();
    for title in ["Targets", "At a glance", "Tiny tasks", "Skewed mix", "Beginning and end"] {
        assert!(tables.contains(&format!("## {title}")), "no table `{title}` in\n{tables}");
    }
    assert!(fs::read_to_string(out.join("pool.svg")).unwrap().ends_with("</svg>\n"));
}
