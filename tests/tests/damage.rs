//! P1, P10: a node that starts on a damaged directory stops, names the file and says what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};
use store::Column;
use tests::{
    Lab, Plan,
    crowd::Crowd,
    harm,
    lab::{GROUP, PATIENCE, database},
};

/// A node that was stopped, and a copy of its directory to damage again and again.
struct Victim {
    lab: Lab,
    node: usize,
    whole: PathBuf,
}

impl Victim {
    /// With what was applied in table files, or all of it in the write-ahead log and in memory.
    async fn new(plan: Plan, in_tables: bool) -> Victim {
        let mut lab = plan.start().await;
        let crowd = Crowd::start(&lab, 2, 600).await;
        crowd.progress(60).await;
        let node = (lab.leader(GROUP).await + 1) % 3;
        crowd.finish().await;
        lab.equal().await;
        if in_tables {
            lab.cluster.stop_node(node, PATIENCE).await.unwrap();
        } else {
            lab.cluster.kill(node).unwrap();
        }
        let whole = lab.dir().join("whole");
        harm::copy(&lab.data(node), &whole);
        Victim { lab, node, whole }
    }

    /// Shows that the node stops over each, names the file and says what to do.
    async fn refuses(&mut self, cases: Vec<(&str, Harm<'_>)>) {
        for (case, damage) in cases {
            let mut file = PathBuf::new();
            let (code, said) = self.after(|data| file = damage(data)).await;
            assert_eq!(code, 4, "{case}: {said}");
            assert!(names(&said, &file), "{case}: {} is not named: {said}", file.display());
            assert!(says_what_to_do(&said), "{case}: {said}");
        }
    }

    /// Puts the whole directory back, damages it, and starts on it: the exit code and what was said.
    async fn after(&mut self, damage: impl FnOnce(&Path)) -> (i32, String) {
        let data = self.lab.data(self.node);
        fs::remove_dir_all(&data).unwrap();
        harm::copy(&self.whole, &data);
        damage(&data);
        self.lab.ends(self.node).await
    }
}

/// Does damage below a data directory, and says to which file.
type Harm<'a> = Box<dyn FnOnce(&Path) -> PathBuf + 'a>;

fn names(said: &str, file: &Path) -> bool {
    said.contains(file.file_name().unwrap().to_str().unwrap())
}

/// What every such end says besides the file.
fn says_what_to_do(said: &str) -> bool {
    said.contains("Start it again") && said.contains("docs/operating/damage.md")
}

/// Flips, cuts and losses in each kind of file that decides whether the node may promise anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn damage_at_the_start_is_named_and_stops_the_node() {
    let mut victim = Victim::new(Plan::of(3), false).await;
    let db = |data: &Path| database(data);
    let wal = |data: &Path| harm::files(&db(data), ".log").pop().unwrap();
    let manifest = |data: &Path| {
        let listed = fs::read_dir(db(data)).unwrap().map(|entry| entry.unwrap().path());
        listed.filter(|path| path.to_str().unwrap().contains("MANIFEST")).max().unwrap()
    };
    let cases: Vec<(&str, Harm<'_>)> = vec![
        (
            "a flip in the write-ahead log",
            Box::new(|data| {
                harm::flip(&wal(data), 300);
                wal(data)
            }),
        ),
        (
            "a flip in the manifest",
            Box::new(|data| {
                harm::flip(&manifest(data), 500);
                manifest(data)
            }),
        ),
        (
            "a lost manifest",
            Box::new(|data| {
                let file = manifest(data);
                fs::remove_file(&file).unwrap();
                file
            }),
        ),
        (
            "a lost beginning of the database",
            Box::new(|data| {
                let file = db(data).join("CURRENT");
                fs::remove_file(&file).unwrap();
                file
            }),
        ),
        (
            "a flip in the marks",
            Box::new(|data| {
                harm::flip(&data.join("log-marks"), 400);
                data.join("log-marks")
            }),
        ),
        (
            "cut marks",
            Box::new(|data| {
                harm::cut(&data.join("log-marks"), 700);
                data.join("log-marks")
            }),
        ),
        (
            "lost marks",
            Box::new(|data| {
                fs::remove_file(data.join("log-marks")).unwrap();
                data.join("log-marks")
            }),
        ),
        (
            "a flip in the identity",
            Box::new(|data| {
                harm::flip(&data.join("node"), 500);
                data.join("node")
            }),
        ),
        (
            "a cut identity",
            Box::new(|data| {
                harm::cut(&data.join("node"), 500);
                data.join("node")
            }),
        ),
        (
            "a lost identity",
            Box::new(|data| {
                fs::remove_file(data.join("node")).unwrap();
                data.join("node")
            }),
        ),
    ];
    victim.refuses(cases).await;
}

/// The same in the files that hold log and state once they are full, or the node was stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_and_cut_tables_are_named_and_stop_the_node() {
    let mut victim = Victim::new(Plan::of(3), true).await;
    let db = |data: &Path| database(data);
    let cases: Vec<(&str, Harm<'_>)> = vec![
        (
            "a lost state file",
            Box::new(|data| {
                let file = harm::tables(&db(data), Column::State).remove(0);
                fs::remove_file(&file).unwrap();
                file
            }),
        ),
        (
            "a cut state file",
            Box::new(|data| {
                let file = harm::tables(&db(data), Column::State).remove(0);
                harm::cut(&file, 700);
                file
            }),
        ),
        (
            "a lost log file",
            Box::new(|data| {
                let file = harm::tables(&db(data), Column::Log).remove(0);
                fs::remove_file(&file).unwrap();
                file
            }),
        ),
        (
            "two table files in each other's place",
            Box::new(|data| {
                let state = harm::tables(&db(data), Column::State).remove(0);
                let log = harm::tables(&db(data), Column::Log).remove(0);
                let aside = data.join("aside");
                for (from, to) in [(&state, &aside), (&log, &state), (&aside, &log)] {
                    fs::rename(from, to).unwrap();
                }
                log
            }),
        ),
    ];
    victim.refuses(cases).await;
}

/// What the engine writes for people to read decides nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_engines_own_notes_may_be_lost() {
    let Victim { mut lab, node, .. } = Victim::new(Plan::of(3), true).await;
    let database = database(&lab.data(node));
    let notes = fs::read_dir(&database).unwrap().map(|entry| entry.unwrap().path());
    let notes: Vec<_> = notes.filter(|path| path.to_str().unwrap().contains("OPTIONS")).collect();
    assert!(!notes.is_empty());
    harm::flip(&notes[0], 500);
    for note in &notes[1..] {
        fs::remove_file(note).unwrap();
    }
    lab.restart(node).await;
    lab.equal().await;
}

/// A flip inside a table file is found when its block is read, at the latest when the disk is read
/// again, and named with the file and the place.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flip_in_a_table_file_is_named_with_its_place() {
    let mut victim = Victim::new(Plan::of(3).setting("repair.scrub_s", 1), true).await;
    for column in [Column::State, Column::Log] {
        let mut file = PathBuf::new();
        let damage = |data: &Path| {
            let tables = harm::tables(&database(data), column);
            let largest = tables.into_iter().max_by_key(|file| fs::metadata(file).unwrap().len());
            file = largest.unwrap();
            harm::flip(&file, 200);
        };
        let (code, said) = victim.after(damage).await;
        assert_eq!(code, 4, "{column}: {said}");
        assert!(names(&said, &file) && said.contains("offset"), "{column}: {said}");
        assert!(says_what_to_do(&said), "{column}: {said}");
    }
}

/// A certificate that is not what was signed: the node says which file, and does not start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_certificate_is_named() {
    let mut lab = Plan::of(3).start().await;
    lab.cluster.kill(2).unwrap();
    let home = lab.cluster.nodes()[2].dir.clone();
    for file in ["node.pem", "node.key", "ca.pem"] {
        let path = home.join(file);
        let path = if path.exists() { path } else { lab.cluster.dir().join(file) };
        let whole = fs::read(&path).unwrap();
        for thousandths in [300, 500, 700] {
            harm::flip(&path, thousandths);
            let (code, said) = lab.ends(2).await;
            assert_eq!(code, 2, "{file} at {thousandths}: {said}");
            assert!(said.contains(file) || said.contains("node.pem"), "{file}: {said}");
            fs::write(&path, &whole).unwrap();
        }
        // The end of a certificate is its signature.
        if file != "node.key" {
            let last = 1_000 - 100_000 / whole.len();
            harm::flip(&path, last);
            let (code, said) = lab.ends(2).await;
            assert_eq!(code, 2, "{file} at {last}: {said}");
            assert!(said.contains(file), "{file} at {last}: {said}");
            fs::write(&path, &whole).unwrap();
        }
        harm::cut(&path, 600);
        let (code, said) = lab.ends(2).await;
        assert_eq!(code, 2, "{file}, cut: {said}");
        fs::write(&path, &whole).unwrap();
    }
    lab.restart(2).await;
}
