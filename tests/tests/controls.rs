//! The controls: changes that take a protection away, under which a test of that protection must fail.
//! `make controls` applies each to a copy, builds it, and shows that; here it is only held that each still
//! fits the code and names a test that exists.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use std::{fs, path::Path, process::Command};

#[test]
fn every_control_fits_the_code_and_names_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = fs::read_dir(root.join("tests/controls")).unwrap();
    let patches = listed.map(|entry| entry.unwrap().path());
    let patches: Vec<_> =
        patches.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    assert!(patches.len() >= 3, "the controls are there");
    for patch in patches {
        let text = fs::read_to_string(&patch).unwrap();
        let named = text.lines().find_map(|line| line.strip_prefix("Fails: "));
        let (file, test) = named.and_then(|named| named.split_once(' ')).expect("a test by name");
        let tests = fs::read_to_string(root.join(format!("tests/tests/{file}.rs"))).unwrap();
        assert!(tests.contains(&format!("fn {test}(")), "{}: no test {test}", patch.display());
        let checked = Command::new("git")
            .args(["apply", "--check"])
            .arg(patch.canonicalize().unwrap())
            .current_dir(&root)
            .output();
        let checked = match checked {
            Ok(checked) => checked,
            Err(error) => {
                eprintln!("SKIPPED: git cannot be started: {error}");
                return;
            }
        };
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{}: {said}", patch.display());
    }
}
