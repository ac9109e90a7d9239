//! Rules about single files: length, names, leftovers, and what must stay in one place.

use super::File;

/// A file holds one idea; beyond this it rarely does.
const LINES_MAX: usize = 500;

/// Words that say a thing is unfinished, assembled so that this file does not trip over itself.
const LEFTOVERS: [(&str, &str); 7] = [
    ("todo", "!("),
    ("unimplemented", "!("),
    ("FIX", "ME"),
    ("XX", "X:"),
    ("dbg", "!("),
    ("#[ig", "nore"),
    ("not yet imple", "mented"),
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    files.iter().flat_map(file).collect()
}

fn file(file: &File) -> Vec<String> {
    let place = file.path.display();
    let mut findings = Vec::new();
    if file.is("rs") {
        findings.extend(rust(file));
    }
    if file.is("rs") || file.is("md") || file.is("sh") || file.is("toml") || file.is("proto") {
        for (number, line) in file.text.lines().enumerate() {
            for (head, tail) in LEFTOVERS {
                if line.contains(&format!("{head}{tail}")) {
                    findings.push(format!("{place}:{}: leftover `{head}{tail}`", number + 1));
                }
            }
            if line.ends_with(' ') && !file.is("md") {
                findings.push(format!("{place}:{}: blank at the end of the line", number + 1));
            }
        }
    }
    findings
}

fn rust(file: &File) -> Vec<String> {
    let place = file.path.display();
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        findings
            .push(format!("{place}: {lines} lines; a file holds one idea, at most {LINES_MAX}"));
    }
    let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        "mod.rs" => findings.push(format!("{place}: put it beside its folder as `foo.rs`")),
        "utils.rs" | "util.rs" | "helpers.rs" | "common.rs" | "misc.rs" | "manager.rs" => {
            findings.push(format!("{place}: the name says nothing; name the idea"));
        }
        _ => {}
    }
    if !file.text.starts_with("//!")
        && !file.text.starts_with("#!")
        && !place.to_string().contains("tests")
    {
        findings.push(format!("{place}: begins without a module header (`//!`)"));
    }
    for (word, home) in
        [("bincode::", "store/src/codec"), ("openraft::", "raft"), ("rocksdb::", "store")]
    {
        if file.text.contains(word)
            && !file.under(home)
            && file.path.to_string_lossy() != format!("{home}.rs")
            && !file.under("xtask")
            && !place.to_string().contains("tests")
        {
            findings.push(format!("{place}: names `{word}`, which stays inside {home}"));
        }
    }
    findings
}
