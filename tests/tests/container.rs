//! The image of a node is built, holds what it needs and nothing else, and a node runs in it as nobody in
//! particular. Where `buildah` is missing, or may not run anything, it says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use server::cluster::{NodePlan, RealHosts, Scratch, ports::ReservedPort, prepare};
use tests::lab::{PATIENCE, binary};

const IMAGE: &str = "holdfast-test";
/// Who runs the node, as the Containerfile has it.
const USER: u32 = 65_532;

/// Image and containers of this test, apart from those of the machine.
struct Buildah {
    scratch: Scratch,
}

impl Buildah {
    fn new() -> Option<Buildah> {
        if let Err(error) = Command::new("buildah").arg("--version").output() {
            eprintln!("SKIPPED the image: buildah: {error}");
            return None;
        }
        let scratch = Scratch::new("holdfast-container").unwrap();
        let dir = scratch.path();
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/images\"\nrunroot = \"{0}/run\"\n",
            dir.display()
        );
        fs::write(dir.join("storage.conf"), storage).unwrap();
        // Nothing is fetched, so there is nothing to be trusted or not.
        fs::create_dir_all(dir.join(".config/containers")).unwrap();
        let policy = "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}";
        fs::write(dir.join(".config/containers/policy.json"), policy).unwrap();
        Some(Buildah { scratch })
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("HOME", self.scratch.path())
            .env("CONTAINERS_STORAGE_CONF", self.scratch.path().join("storage.conf"))
            .env("BUILDAH_ISOLATION", "chroot");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command("buildah").args(arguments).output().unwrap()
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "buildah {}: {error}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        // Unmounts what is mounted below the directory that goes.
        let _ = self.run(&["rm", "--all"]);
    }
}

/// A process and all that it started, from whichever of its threads.
fn descendants(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    std::iter::once(pid).chain(children.flat_map(descendants)).collect()
}

/// The node among the descendants of a process.
fn node_below(pid: u32) -> Option<u32> {
    descendants(pid).into_iter().find(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.starts_with(b"/usr/bin/holdfast\0")
    })
}

fn wait_until(what: &str, child: &mut Child, mut look: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !look() {
        assert!(child.try_wait().unwrap().is_none(), "the container ended before {what}");
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[test]
fn a_node_runs_in_its_image_as_nobody_in_particular() {
    let Some(buildah) = Buildah::new() else { return };
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/container/build.sh");
    let built =
        buildah.command(build).arg(IMAGE).env("HOLDFAST_PROGRAM", binary()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let of_image = |field: &str| {
        let format = format!("{{{{.OCIv1.Config.{field}}}}}");
        buildah.said(&["inspect", "--type", "image", "--format", &format, IMAGE])
    };
    assert_eq!(of_image("User"), format!("{USER}:{USER}"));
    assert_eq!(of_image("Entrypoint"), "[/usr/bin/holdfast]");

    let container = buildah.said(&["from", "--pull-never", IMAGE]);
    if !is_root() {
        eprintln!("SKIPPED running the image: only root may mount it here");
        return;
    }
    let mounted = PathBuf::from(buildah.said(&["mount", &container]));
    let mut files = Vec::new();
    files_below(&mounted, &mut files);
    let foreign: Vec<_> = files
        .iter()
        .filter(|file| {
            !file.ends_with("usr/bin/holdfast") && !file.to_string_lossy().contains(".so")
        })
        .collect();
    assert!(foreign.is_empty(), "neither the program nor a library: {foreign:?}");

    // A cluster of one, whose configuration and keys belong to the user of the image.
    let host = "127.0.0.1".parse().unwrap();
    let ports = [(); 2].map(|()| ReservedPort::any(host).unwrap());
    let dir = buildah.scratch.path().join("cluster");
    let hosts = RealHosts {
        cluster: "test.example",
        nodes: &[NodePlan::new("a", "north", "127.0.0.1").unwrap()],
        allow_single_dc: true,
        public_port: ports[0].address().port(),
        peer_port: ports[1].address().port(),
        open_registration: true,
        passphrase: None,
        data_dir: Some("/var/lib/holdfast".into()),
    };
    prepare(&dir, &hosts).unwrap();
    let home = dir.join("a");
    chown(&home, Some(USER), Some(USER)).unwrap();
    for file in fs::read_dir(&home).unwrap() {
        chown(file.unwrap().path(), Some(USER), Some(USER)).unwrap();
    }

    let data = buildah.scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    chown(&data, Some(USER), Some(USER)).unwrap();
    let disk = format!("{}:/var/lib/holdfast", data.display());
    let log = buildah.scratch.path().join("log");
    let volume = format!("{}:/etc/holdfast", home.display());
    let node = ["node", "--config", "/etc/holdfast/config.toml", "--log", "json"];
    let mut running = buildah
        .command("buildah")
        .args([
            "run",
            "--volume",
            &volume,
            "--volume",
            &disk,
            &container,
            "--",
            "/usr/bin/holdfast",
        ])
        .args(node)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let top = running.id();
    wait_until("it serves", &mut running, || {
        assert!(!said().contains("the node ended"), "{}", said());
        said().contains("\"message\":\"serving\"")
    });
    let pid = node_below(top).expect("the node's process");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(
        status.lines().any(|line| line == format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}")),
        "{status}"
    );

    let formed = Command::new(binary())
        .args(["admin", "bootstrap", &ports[1].address().to_string()])
        .args(["--allow-single-dc", "--wallet-groups", "1"])
        .args(["--endpoints", &format!("https://{}", ports[0].address())])
        .arg("--ca")
        .arg(dir.join("ca.pem"))
        .arg("--cert")
        .arg(dir.join("operator.pem"))
        .arg("--key")
        .arg(dir.join("operator.key"))
        .output()
        .unwrap();
    assert!(formed.status.success(), "{}", String::from_utf8_lossy(&formed.stderr));
    assert!(data.join("db").is_dir(), "its data is where the image has its disk");

    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
    let begun = Instant::now();
    let ended = loop {
        if let Some(status) = running.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it did not end: {}", said());
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{}", said());
    assert!(said().contains("\"message\":\"ended\""), "{}", said());
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|of_self| {
        use std::os::unix::fs::MetadataExt;
        of_self.uid() == 0
    })
}
