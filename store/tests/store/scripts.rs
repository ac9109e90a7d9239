//! Golden scripts: a sentence, commands, and what came out (`tests/scripts/*.txt`).
//!
//! A script fails when what comes out is not what stands below its `---`. With `RECORD=1` it is
//! written there instead, to be read by a person before it is committed.

use std::path::{Path, PathBuf};

mod cluster;
mod line;
mod wallet;

/// What runs the lines of one script.
trait Stage {
    fn run(&mut self, line: &line::Line) -> String;
}

fn play(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let (script, expected) = text.split_once("---\n").unwrap_or((&text, ""));
    assert!(script.starts_with("# "), "{}: a script begins with what it shows", path.display());
    let mut stage: Box<dyn Stage> = if script.contains("\nbootstrap ") {
        Box::new(cluster::Cluster::new())
    } else {
        Box::new(wallet::Wallets::new())
    };
    let lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let came: String = lines.map(|line| stage.run(&line::Line::parse(line)) + "\n").collect();
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(path, format!("{script}---\n{came}")).unwrap();
        return None;
    }
    (came != expected).then(|| format!("{}:\n{came}", path.display()))
}

#[test]
fn scripts_play_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 10, "the scripts are there");
    let failed: Vec<_> = scripts.iter().filter_map(|path| play(path)).collect();
    assert!(failed.is_empty(), "these came out otherwise:\n{}", failed.join("\n"));
}
