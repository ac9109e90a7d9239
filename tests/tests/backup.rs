//! P4, P8, P10: a backup of a cluster under load comes back on a fresh one byte for byte; what was revoked
//! after it stays revoked; and nothing of a backup that somebody touched gets in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use client::{Class, Keep, Record, Wallet};
use rand::{Rng, SeedableRng, rngs::StdRng};
use seal::RecoveryCode;
use serde_json::Value;
use server::cluster::{Cluster, Scratch};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use store::backup::{Manifest, SignedFile, SignedKind};
use tests::{
    Lab, Plan,
    crowd::Crowd,
    lab::{PATIENCE, binary, create, until},
};

/// What a command of the operator said, and its exit code.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn done(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(self.out.lines().last().unwrap_or("null")).unwrap()
    }

    fn ends(self, code: i32, reason: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(reason), "{}", self.err);
    }
}

/// `holdfast --json admin ...` as the operator of a cluster.
fn admin(lab: &Lab, args: &[&str]) -> Command {
    let files = lab.cluster.operator();
    let mut command = Command::new(binary());
    command.args(["--json", "admin", "--endpoints", &lab.cluster.endpoints().join(",")]);
    command.arg("--ca").arg(files.ca).arg("--cert").arg(files.cert).arg("--key").arg(files.key);
    command.args(args);
    command
}

async fn run(command: Command) -> Said {
    let mut command = tokio::process::Command::from(command);
    let output = command.kill_on_drop(true).output().await.unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn ask(lab: &Lab, args: &[&str]) -> Said {
    run(admin(lab, args)).await
}

/// A fresh cluster of one node with an authority of its own, and the epoch key of another cluster.
async fn fresh(lost: &Lab, wallet_groups: u32) -> Lab {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let options = Plan::of(1).wallet_groups(wallet_groups).options(scratch.path().join("cluster"));
    let mut cluster = Cluster::create(&options).unwrap();
    let key = lost.cluster.nodes()[0].dir.join("epoch.key");
    fs::copy(key, cluster.nodes()[0].dir.join("epoch.key")).unwrap();
    cluster.start_node(0).unwrap();
    cluster.wait_answering(0, PATIENCE).await.unwrap();
    cluster.bootstrap(wallet_groups, true).await.unwrap();
    cluster.wait_settled(PATIENCE).await.unwrap();
    Lab::around(cluster, scratch)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The authority of the cluster that a backup is of, as `restore` is told.
fn ca(lab: &Lab) -> String {
    text(&lab.cluster.ca()).to_owned()
}

/// The bodies of all records but those that devices keep about themselves.
fn bodies(wallet: &Wallet) -> BTreeMap<String, Vec<u8>> {
    let records = wallet.list().unwrap().into_iter().map(|info| info.record.unwrap());
    records
        .filter(|record| !record.name.starts_with("holdfast/"))
        .map(|record| (record.name, record.body.as_slice().to_vec()))
        .collect()
}

/// A wallet with this many records of 200,000 bytes.
async fn large(lab: &Lab, records: u64) -> (Wallet, RecoveryCode) {
    let (mut wallet, code) = lab.wallet("phone").await;
    let mut rng = StdRng::seed_from_u64(7);
    for number in 0..records {
        let mut body = vec![0; 200_000];
        rng.fill_bytes(&mut body);
        wallet.put(Record::new("opaque", format!("photo {number}"), body)).unwrap();
        if number % 12 == 11 {
            wallet.push().await.unwrap();
        }
    }
    wallet.push().await.unwrap();
    (wallet, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_pushes_comes_back_on_a_fresh_cluster_though_the_restore_was_killed() {
    let lab = Plan::of(3).wallet_groups(2).start().await;
    let archive = lab.dir().join("archive");
    let to = ["backup", "--to", text(&archive)];
    let (mut phone, code) = large(&lab, 64).await;
    let crowd = Crowd::start(&lab, 4, 900).await;
    crowd.progress(100).await;
    let first = ask(&lab, &to).await.done();
    assert_eq!(first["contents"]["wallets"], 5, "{first}");
    crowd.progress(20).await;
    let pushed = crowd.finish().await;

    // What is there is shared: a small change writes little.
    ask(&lab, &to).await.done();
    phone.put(Record::new("opaque", "last", "before the cluster is lost")).unwrap();
    phone.push().await.unwrap();
    let last = ask(&lab, &to).await.done();
    let [written, shared] =
        ["written_bytes", "shared_bytes"].map(|field| last[field].as_u64().unwrap());
    assert!(written * 3 < shared, "{last}");
    let listed = ask(&lab, &["backup", "list", "--from", text(&archive)]).await.done();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 3, "{listed}");

    // The cluster is lost; a restore of its last backup is killed in the middle, and given again.
    let target = fresh(&lab, 2).await;
    let ca = ca(&lab);
    let restore = ["restore", "--from", text(&archive), "--backup-ca", &ca, "--without-journal"];
    let applied = async || -> u64 {
        let status = target.cluster.status(0).await.unwrap();
        status.groups.iter().map(|group| group.applied).sum()
    };
    let before = applied().await;
    let mut killed =
        admin(&target, &restore).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("some rows are restored", PATIENCE, async || {
        (applied().await >= before + 6).then_some(())
    })
    .await;
    killed.kill().unwrap();
    let ended = killed.wait().unwrap();
    assert_eq!(ended.code(), None, "the restore was over before it was killed");
    let restored = ask(&target, &restore).await.done();
    assert_eq!(restored["wallets"], 5, "{restored}");
    assert_eq!(ask(&target, &restore).await.done(), restored, "once more changes nothing");

    let tablet = target.recover(&code, "tablet", Keep::All).await;
    assert_eq!(bodies(&tablet), bodies(&phone));
    for client in &pushed {
        let device = target.recover(&client.code, "another", Keep::All).await;
        let mut found = bodies(&device);
        found.retain(|name, _| client.records.contains_key(name));
        assert_eq!(found, client.records);
    }
    // A device that was there all the time goes on.
    phone.reconnect(target.settings()).unwrap();
    phone.put(Record::new("opaque", "after", "on the new cluster")).unwrap();
    phone.push().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_after_the_backup_stays_revoked_by_the_journal() {
    let lab = Plan::of(1).start().await;
    let (archive, kept) = (lab.dir().join("archive"), lab.dir().join("kept"));
    let (mut phone, code) = lab.wallet("phone").await;
    phone.put(Record::new("opaque", "licence", "of both devices")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = lab.device(&code, "tablet").await;
    let (mut other, _) = lab.wallet("of somebody else").await;
    let journal = ["journal", "--to", text(&kept)];
    ask(&lab, &journal).await.done();
    ask(&lab, &["backup", "--to", text(&archive)]).await.done();

    let ca = ca(&lab);
    let from = ["restore", "--from", text(&archive), "--backup-ca", &ca];
    let with = |journal: &[&str]| {
        let args: Vec<String> = from.iter().chain(journal).map(|&arg| arg.to_owned()).collect();
        args
    };
    let target = fresh(&lab, 1).await;
    let try_on = async |target: &Lab, more: &[&str]| {
        let args = with(more);
        ask(target, &args.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    // Without a word on the journal, with none, and with one from before the backup: nothing is done.
    try_on(&target, &[]).await.ends(1, "devices that were revoked since would be let in again");
    let stale = ["--journal", text(&kept)];
    try_on(&target, &stale).await.ends(1, "before the backup");
    try_on(&target, &["--journal", text(&archive)]).await.ends(1, "no stream of this cluster");

    phone.pull().await.unwrap();
    let lost = phone
        .devices()
        .unwrap()
        .into_iter()
        .find(|device| device.name.as_deref() == Some("tablet"))
        .unwrap();
    phone.revoke(lost.id).await.unwrap();
    let kept_facts = ask(&lab, &journal).await.done();
    assert!(kept_facts["facts"].as_u64().unwrap() >= 1, "{kept_facts}");

    let restored = try_on(&target, &stale).await.done();
    assert!(restored["journal"]["facts"].as_u64().unwrap() >= 1, "{restored}");
    tablet.reconnect(target.settings()).unwrap();
    tablet.pull().await.expect_err("the tablet was revoked");
    // Who has seen more than the backup has calls it what it is.
    phone.reconnect(target.settings()).unwrap();
    let refused = phone.pull().await.expect_err("the backup is older than the phone");
    assert_eq!(refused.class(), Class::Integrity, "{refused}");
    // Whose links went no further than the backup goes on.
    other.reconnect(target.settings()).unwrap();
    other.put(Record::new("opaque", "after", "on the new cluster")).unwrap();
    other.push().await.unwrap();

    // Forced, without the stream, the tablet is back: that is what was refused above.
    let forgetful = fresh(&lab, 1).await;
    try_on(&forgetful, &["--without-journal"]).await.done();
    tablet.reconnect(forgetful.settings()).unwrap();
    tablet.pull().await.unwrap();
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort_unstable();
    found
}

/// The newest manifest of an archive, and every chunk that it names.
fn named(archive: &Path) -> Vec<PathBuf> {
    let manifest = files(&archive.join("backups")).pop().unwrap();
    let bytes = fs::read(&manifest).unwrap();
    let signed = SignedFile::parse(SignedKind::Manifest, &bytes).unwrap();
    let groups = Manifest::parse(signed.content).unwrap().groups;
    let hashes = groups.iter().flat_map(|group| &group.chunks).map(|chunk| hex(&chunk.hash));
    let chunks: BTreeSet<_> =
        hashes.map(|hash| archive.join("rows").join(&hash[..2]).join(&hash)).collect();
    chunks.into_iter().chain([manifest]).collect()
}

/// Attack 32, as an operator meets it; the archive alone is attacked byte by byte in the tests of `server`.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_touched_is_refused_before_the_first_write_and_the_drill_finds_it() {
    let lab = Plan::of(1).start().await;
    let archive = lab.dir().join("archive");
    let (phone, code) = large(&lab, 8).await;
    ask(&lab, &["backup", "--to", text(&archive)]).await.done();
    let older = ask(&lab, &["backup", "list", "--from", text(&archive)]).await.done();
    let older = older["backups"][0]["backup"].as_str().unwrap().to_owned();
    ask(&lab, &["backup", "--to", text(&archive)]).await.done();

    // The drill, by an authority alone and then with the cluster, whose status says so.
    let drill = ["backup", "verify", "--from", text(&archive)];
    let drilled = ask(&lab, &drill).await.done();
    assert_eq!(drilled["wallets"], 1, "{drilled}");
    let status = lab.cluster.status(0).await.unwrap();
    let verified = status.backup_verified.expect("the cluster knows of the drill");
    assert_eq!(hex(&verified.backup), drilled["hash"].as_str().unwrap());
    assert!(status.backup_taken.is_some());

    let target = fresh(&lab, 1).await;
    let untouched = target.cluster.wait_equal(PATIENCE).await.unwrap();
    let ca = ca(&lab);
    let restore = ["restore", "--from", text(&archive), "--backup-ca", &ca, "--without-journal"];
    for file in named(&archive) {
        let whole = fs::read(&file).unwrap();
        let name = file.strip_prefix(&archive).unwrap().to_str().unwrap().to_owned();
        let middle = whole.len() / 2;
        let mut flipped = whole.clone();
        flipped[middle] ^= 0x10;
        for bytes in [&flipped[..], &whole[..middle], &whole[..whole.len() - 64], &[]] {
            fs::write(&file, bytes).unwrap();
            ask(&target, &restore).await.ends(4, &name);
        }
        fs::write(&file, &flipped).unwrap();
        ask(&lab, &drill).await.ends(4, &name);
        fs::remove_file(&file).unwrap();
        if !name.ends_with(".manifest") {
            ask(&target, &restore).await.ends(4, "it is missing");
        }
        fs::write(&file, &whole).unwrap();
    }
    // By the target's own authority, the backup is a foreign cluster's.
    let foreign = ["restore", "--from", text(&archive), "--without-journal"];
    ask(&target, &foreign).await.ends(4, "no operator of this cluster");
    // Into a cluster that is in use, or of another shape.
    ask(&lab, &foreign).await.ends(1, "holds wallets already");
    let wider = fresh(&lab, 2).await;
    ask(&wider, &restore).await.ends(1, "bootstrap one that has the same");
    assert_eq!(target.cluster.wait_equal(PATIENCE).await.unwrap(), untouched);

    // Untouched again, and the older one by its name, it comes back.
    let by_name: Vec<&str> = restore.iter().copied().chain(["--backup", &older]).collect();
    let said = ask(&target, &by_name).await;
    assert!(said.err.contains("is newer"), "{}", said.err);
    said.done();
    assert_eq!(bodies(&target.recover(&code, "tablet", Keep::All).await), bodies(&phone));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_nothing_is_no_backup() {
    let scratch = Scratch::new("holdfast-test").unwrap();
    let options = Plan::of(1).options(scratch.path().join("cluster"));
    let mut cluster = Cluster::create(&options).unwrap();
    cluster.start_node(0).unwrap();
    cluster.wait_answering(0, PATIENCE).await.unwrap();
    let lab = Lab::around(cluster, scratch);
    let archive = lab.dir().join("archive");
    ask(&lab, &["backup", "--to", text(&archive)]).await.ends(1, "admin bootstrap");
    assert_eq!(files(&archive), Vec::<PathBuf>::new());
    let list = ["backup", "list", "--from", text(&archive)];
    ask(&lab, &list).await.ends(1, "holds no backup");
}

/// Holds a server that speaks S3 for the length of a test.
struct Bucket {
    process: std::process::Child,
    endpoint: String,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Bucket {
    /// `moto`, which `xtask/setup.sh test` installs with the other programs of others; none without it.
    async fn start(scratch: &Path) -> Option<Bucket> {
        use std::io::{BufRead, BufReader};
        let found = std::env::var_os("HOLDFAST_INTEROP").map(PathBuf::from);
        let program = found.map(|dir| dir.join("venv/bin/moto_server"));
        let program = program.filter(|program| program.exists())?;
        let mut process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .current_dir(scratch)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let endpoint = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("Running on ")?.1.trim().to_owned()))
            .expect("it says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Some(Bucket { process, endpoint })
    }

    fn reach(&self, command: &mut Command) {
        command.env("AWS_ENDPOINT", &self.endpoint).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_REGION", "us-east-1").env("NO_PROXY", "127.0.0.1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_an_archive_too() {
    let lab = Plan::of(1).start().await;
    let Some(bucket) = Bucket::start(lab.dir()).await else {
        #[allow(clippy::print_stdout, reason = "a skipped test says so")]
        {
            println!("SKIPPED: xtask/setup.sh could not install moto");
        }
        return;
    };
    let address = bucket.endpoint.trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    use std::io::{Read, Write};
    let request = format!(
        "PUT /holdfast HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let (mut phone, code) = create(lab.settings(), "phone").await;
    phone.put(Record::new("opaque", "licence", "in a bucket")).unwrap();
    phone.push().await.unwrap();
    let ask = async |lab: &Lab, args: &[&str]| {
        let mut command = admin(lab, args);
        bucket.reach(&mut command);
        run(command).await
    };
    let place = "s3://holdfast/some/where";
    ask(&lab, &["backup", "--to", place]).await.done();
    let second = ask(&lab, &["backup", "--to", place]).await.done();
    assert!(second["shared_chunks"].as_u64().unwrap() > 0, "{second}");
    ask(&lab, &["journal", "--to", place]).await.done();
    ask(&lab, &["backup", "verify", "--from", place]).await.done();
    let target = fresh(&lab, 1).await;
    let ca = ca(&lab);
    let restore = ["restore", "--from", place, "--journal", place, "--backup-ca", &ca];
    ask(&target, &restore).await.done();
    assert_eq!(bodies(&target.recover(&code, "tablet", Keep::All).await), bodies(&phone));
    ask(&lab, &["backup", "--to", "s3://nowhere/at/all"]).await.ends(3, "s3://nowhere");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
