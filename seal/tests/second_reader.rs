//! The frozen vectors, read by the script that shares no code with this crate.

use std::path::Path;
use std::process::Command;

#[test]
fn the_second_reader_accepts_and_refuses_the_same() {
    let importable = Command::new("python3").args(["-c", "import cryptography.hazmat"]).output();
    if !importable.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: python3 with the package `cryptography` is not installed");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/read.py");
    let output = Command::new("python3").arg(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the second reader disagrees");
    assert!(said.contains("364 vectors, 0 wrong"), "the second reader read other vectors");
}
