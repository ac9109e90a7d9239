//! Every command on the pages of `docs/operating` is run, in the order of the page, against real nodes.
//!
//! How a page is read:
//!
//! * A block fenced as `sh` is run by `sh -eu`, all blocks of a page in one shell, so that what one exports the
//!   next one has. A block fenced as `text` right behind it has lines that its output must contain, in any
//!   place; `…` stands for anything.
//! * `<!-- after: PAGE -->` has the blocks of another page run first, in the same shell.
//! * The pages' machines are 10.0.X.Y. Here they are 127.R.X.Y with a random R, all of them this machine, with
//!   the same ports as on the page; nothing else of a command is changed.
//! * `ssh`, `scp`, `systemctl`, `systemd-sysusers` and `chown` are those of `tests/operating/bin`: a machine is
//!   a directory, and a node is started as its unit file says. Everything else is what it is.
//! * The shell starts in a directory that holds `deploy` and `target/release/holdfast`, as a checkout does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use server::cluster::Scratch;
use tests::lab::binary;

/// One page at a time: each is a cluster.
static TURN: Mutex<()> = Mutex::new(());
/// A page takes seconds; on a busy machine more.
const PATIENCE: Duration = Duration::from_secs(300);
/// Programs that pages use and that not every machine has.
const BORROWED: [&str; 2] = ["curl", "openssl"];

macro_rules! pages {
    ($($name:ident $page:literal),* $(,)?) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $name() {
                run($page);
            }
        )*
    };
}

pages! {
    bootstrap "bootstrap.md",
    unlock "unlock.md",
    join_and_replace "join-and-replace.md",
    drain_and_upgrade "drain-and-upgrade.md",
    certificate_renewal "certificate-renewal.md",
    backup_and_restore "backup-and-restore.md",
    two_data_centres "two-data-centres.md",
    metrics "metrics.md",
}

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating")
}

#[test]
fn no_page_is_left_out_and_no_link_leads_nowhere() {
    let mut commanding = BTreeSet::new();
    for entry in fs::read_dir(pages()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let elsewhere = link.is_empty() || link.contains("://");
            assert!(elsewhere || pages().join(link).exists(), "{name} links to {link}");
        }
        if text.contains("```sh") {
            commanding.insert(name);
        }
    }
    let run: BTreeSet<String> = PAGES.iter().map(|&page| page.to_owned()).collect();
    assert_eq!(commanding, run, "every page with commands has a line in this test");
}

/// A block of commands, and what their output must contain.
struct Block {
    page: String,
    line: usize,
    commands: String,
    expected: Vec<String>,
}

/// The blocks of a page, behind those of the page that it begins with.
fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(pages().join(page)).unwrap();
    let mut found = Vec::new();
    let mut fence: Option<(bool, usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut fence {
            Some((is_commands, begin, body)) if line == "```" => {
                let (body, begin) = (std::mem::take(body), *begin);
                match (*is_commands, found.last_mut()) {
                    (true, _) => found.push(Block {
                        page: page.to_owned(),
                        line: begin,
                        commands: body,
                        expected: Vec::new(),
                    }),
                    (false, Some(block)) => {
                        block.expected = body.lines().map(str::to_owned).collect()
                    }
                    (false, None) => panic!("{page}:{begin}: output without commands"),
                }
                fence = None;
            }
            Some((_, _, body)) => *body += &format!("{line}\n"),
            None => match line {
                "```sh" => fence = Some((true, number + 1, String::new())),
                "```text" => fence = Some((false, number + 1, String::new())),
                _ => {
                    let before = line.strip_prefix("<!-- after: ");
                    if let Some(before) = before.and_then(|rest| rest.strip_suffix(" -->")) {
                        found.extend(blocks(before));
                    }
                }
            },
        }
    }
    assert!(fence.is_none(), "{page} ends within a block");
    found
}

/// The machines of one page, and the directory that the operator works in.
struct Site {
    net: u8,
    scratch: Scratch,
}

impl Site {
    fn new() -> Site {
        let scratch = Scratch::new("holdfast-operating").unwrap();
        let work = scratch.path().join("work");
        fs::create_dir_all(work.join("target/release")).unwrap();
        fs::create_dir_all(scratch.path().join("machines")).unwrap();
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy"), work.join("deploy"))
            .unwrap();
        symlink(binary(), work.join("target/release/holdfast")).unwrap();
        // Nobody else uses these addresses, unless it is another run of this test.
        let free = |net: &u8| {
            [7600, 7601]
                .iter()
                .all(|port| TcpListener::bind(format!("127.{net}.0.1:{port}")).is_ok())
        };
        let net = std::iter::repeat_with(|| rand::random_range(16..250)).find(free).unwrap();
        Site { net, scratch }
    }

    fn map(&self, text: &str) -> String {
        text.replace("10.0.", &format!("127.{}.", self.net))
    }

    /// Runs the blocks in one shell; what each of them said.
    fn run(&self, blocks: &[Block]) -> Vec<String> {
        let mut script = String::new();
        for block in blocks {
            script += &format!("echo '{MARK}'\n{}", self.map(&block.commands));
        }
        let dir = self.scratch.path();
        let (file, said) = (dir.join("script"), dir.join("said"));
        fs::write(&file, &script).unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("operating/bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", own.display(), binary().parent().unwrap().display());
        let output = File::create(&said).unwrap();
        let mut shell = Command::new("sh")
            .arg("-eu")
            .arg(&file)
            .current_dir(dir.join("work"))
            .env_clear()
            .env("PATH", path)
            .env("HOME", dir)
            .env("MACHINES", dir.join("machines"))
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = shell.try_wait().unwrap() {
                break Some(status);
            }
            if begun.elapsed() > PATIENCE {
                shell.kill().unwrap();
                shell.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let said = fs::read_to_string(&said).unwrap();
        let parts: Vec<String> =
            said.split(&format!("{MARK}\n")).skip(1).map(str::to_owned).collect();
        if !status.is_some_and(|status| status.success()) {
            let at = parts
                .len()
                .checked_sub(1)
                .and_then(|last| blocks.get(last))
                .expect("a first block");
            let how = status.map_or("did not end".to_owned(), |status| status.to_string());
            panic!("{}:{}: {how}\n{}", at.page, at.line, parts.last().unwrap());
        }
        parts
    }
}

/// Between the outputs of blocks.
const MARK: &str = "--- the next block of the page ---";

impl Drop for Site {
    fn drop(&mut self) {
        let pids =
            fs::read_to_string(self.scratch.path().join("machines/pids")).unwrap_or_default();
        for pid in pids.lines() {
            // Mostly gone already. A process that only has the number of one is not this test's node.
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if command.contains(self.scratch.path().to_str().unwrap()) {
                let _ = Command::new("kill").args(["-KILL", pid]).status();
            }
        }
    }
}

/// Whether a line of output has the parts of an expected one, in their order.
fn has(line: &str, expected: &str) -> bool {
    let mut rest = line;
    expected.split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn run(page: &str) {
    let blocks = blocks(page);
    for program in BORROWED {
        let used = blocks.iter().any(|block| block.commands.contains(&format!("{program} ")));
        if used && Command::new(program).arg("--version").output().is_err() {
            eprintln!("SKIPPED {page}: {program} is not installed");
            return;
        }
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let site = Site::new();
    let said = site.run(&blocks);
    assert_eq!(said.len(), blocks.len());
    for (block, said) in blocks.iter().zip(said) {
        for expected in &block.expected {
            let expected = site.map(expected);
            assert!(
                said.lines().any(|line| has(line, &expected)),
                "{}:{} does not say {expected:?}, but:\n{said}",
                block.page,
                block.line
            );
        }
    }
}
