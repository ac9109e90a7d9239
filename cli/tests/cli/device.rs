//! A wallet on the command line: two devices, credentials in and out, clashes, recovery, sessions.

use crate::program::{Dev, Lasting, Run, holdfast};
use server::cluster::Scratch;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// One device: its profile, and the cluster that it uses.
struct Device<'a> {
    dev: &'a Dev,
    profile: String,
}

impl<'a> Device<'a> {
    fn new(dev: &'a Dev, scratch: &Scratch, name: &str) -> Device<'a> {
        let profile = scratch.path().join(name);
        Device { dev, profile: profile.to_str().unwrap().to_owned() }
    }

    /// A command that needs endpoints and CA.
    fn first(&self, args: &[&str]) -> Run {
        let mut all = vec!["--json", "wallet", "--profile", &self.profile];
        let reach = self.dev.reach();
        all.extend(reach.iter().map(String::as_str));
        all.extend(args);
        holdfast(all)
    }

    /// A command that relies on what the profile remembers.
    fn run(&self, args: &[&str]) -> Run {
        let mut all = vec!["--json", "wallet", "--profile", &self.profile];
        all.extend(args);
        holdfast(all)
    }
}

#[test]
fn a_wallet_lives_on_two_devices_and_comes_back_from_its_code() {
    let scratch = Scratch::new("holdfast-cli").unwrap();
    let dev = Dev::start(1, &scratch.path().join("cluster"));
    let secret = scratch.path().join("passphrase");
    write_secret(&secret, b"correct horse battery staple\n");
    let secret = secret.to_str().unwrap();

    // Device one, with sealed keys.
    let one = Device::new(&dev, &scratch, "one");
    let created = one.first(&["create", "--passphrase-file", secret, "--name", "phone"]).done();
    let announced: serde_json::Value =
        serde_json::from_str(created.out.lines().next().unwrap()).unwrap();
    let code = announced["recovery_code"].as_str().unwrap().to_owned();
    assert_eq!(fs::metadata(&one.profile).unwrap().permissions().mode() & 0o777, 0o700);
    let refused = one.run(&["list"]);
    assert_eq!(refused.code, 2, "sealed keys need their passphrase: {}", refused.err);
    let with = |args: &[&str]| one.run(&[&["--passphrase-file", secret], args].concat());

    // A file goes in and out byte for byte.
    let (file, out) = (scratch.path().join("file"), scratch.path().join("out"));
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    fs::write(&file, &bytes).unwrap();
    with(&["put", "any bytes", file.to_str().unwrap()]).done();
    assert_eq!(with(&["push"]).done().json()["written"], 1);
    with(&["get", "any bytes", "--out", out.to_str().unwrap()]).done();
    assert_eq!(fs::read(&out).unwrap(), bytes);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let again = with(&["get", "any bytes", "--out", out.to_str().unwrap()]);
    assert_eq!(again.code, 2, "nothing is overwritten");

    // Device two, from the code alone.
    let code_file = scratch.path().join("code");
    write_secret(&code_file, code.to_lowercase().replace('-', " ").as_bytes());
    let two = Device::new(&dev, &scratch, "two");
    let recover =
        ["recover", "--no-passphrase", "--keep", "all", "--code-file", code_file.to_str().unwrap()];
    let recovered = two.first(&recover).done().json();
    assert_eq!(recovered["freshness"], "unproven");
    assert_eq!(recovered["records"], 1);

    // Both change the same record: the second value is kept whole, and the list says so.
    fs::write(&file, b"from one").unwrap();
    with(&["put", "any bytes", file.to_str().unwrap()]).done();
    with(&["push"]).done();
    fs::write(&file, b"from two").unwrap();
    two.run(&["put", "any bytes", file.to_str().unwrap()]).done();
    let pushed = two.run(&["push"]).done().json();
    assert_eq!(pushed["merged"]["set_aside"][0], "any bytes", "{pushed}");
    with(&["pull"]).done();
    assert_eq!(with(&["list"]).done().json()["records"][0]["conflicts"], 1);
    assert_eq!(with(&["get", "any bytes"]).done().out, "from one");
    assert_eq!(with(&["get", "any bytes", "--conflict", "1"]).done().out, "from two");
    with(&["settle", "any bytes", "--take", "1"]).done();
    with(&["push"]).done();
    two.run(&["pull"]).done();
    assert_eq!(two.run(&["get", "any bytes"]).done().out, "from two");
    assert_eq!(two.run(&["list"]).done().json()["records"][0]["conflicts"], 0);

    // A session for other tools.
    let session = two.run(&["session"]).done().json();
    let kept = session["file"].as_str().unwrap();
    assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    let proof = two.run(&["session", "proof", "POST", "/holdfast.v1.Wallets/Pull"]).done().json();
    assert_eq!(proof["dpop"].as_str().unwrap().split('.').count(), 3);

    // The revoker code needs no wallet on the device that types it in.
    let (three, revoker) = (Device::new(&dev, &scratch, "three"), scratch.path().join("revoker"));
    let created = three.first(&["create", "--no-passphrase", "--revoker"]).done();
    let announced: serde_json::Value =
        serde_json::from_str(created.out.lines().next().unwrap()).unwrap();
    write_secret(&revoker, announced["revoker_code"].as_str().unwrap().as_bytes());
    let devices = three.run(&["devices"]).done().json();
    let id = devices["devices"][0]["id"].as_str().unwrap();
    let by_code = ["revoke", id, "--by-code", "--code-file", revoker.to_str().unwrap()];
    Device::new(&dev, &scratch, "elsewhere").first(&by_code).done();
    assert_eq!(three.run(&["pull"]).code, 1, "a revoked device is refused");

    // Device two puts device one out, by name.
    two.run(&["revoke", "phone"]).done();
    fs::write(&file, b"too late").unwrap();
    with(&["put", "late", file.to_str().unwrap()]).done();
    assert_eq!(with(&["push"]).code, 1, "a revoked device is refused");
    assert_eq!(with(&["pull"]).code, 1, "a revoked device is refused");
    let devices = two.run(&["devices"]).done().json();
    let phone =
        devices["devices"].as_array().unwrap().iter().find(|device| device["name"] == "phone");
    assert_eq!(phone.unwrap()["active"], false);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn what_one_device_deletes_another_that_watches_loses() {
    let scratch = Scratch::new("holdfast-cli").unwrap();
    let dev = Dev::start(1, &scratch.path().join("cluster"));
    let one = Device::new(&dev, &scratch, "one");
    let created = one.first(&["create", "--no-passphrase"]).done();
    let announced: serde_json::Value =
        serde_json::from_str(created.out.lines().next().unwrap()).unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, b"for a while").unwrap();
    for name in ["kept", "given up"] {
        one.run(&["put", name, file.to_str().unwrap()]).done();
    }
    one.run(&["push"]).done();
    let code = scratch.path().join("code");
    write_secret(&code, announced["recovery_code"].as_str().unwrap().as_bytes());
    let two = Device::new(&dev, &scratch, "two");
    let recover =
        ["recover", "--no-passphrase", "--keep", "all", "--code-file", code.to_str().unwrap()];
    two.first(&recover).done();
    one.run(&["pull"]).done();

    let mut watch = Lasting::start(["--json", "wallet", "--profile", &two.profile, "watch"]);
    let refused = one.run(&["delete", "never there"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("never there"), "{}", refused.err);
    one.run(&["delete", "given up"]).done();
    let pushed = one.run(&["push"]).done().json();
    assert_eq!((&pushed["written"], &pushed["removed"]), (&0.into(), &1.into()), "{pushed}");
    let seen = loop {
        let seen = watch.next();
        if seen["seq"] == pushed["seq"] {
            break seen;
        }
    };
    assert_eq!(seen["removed"], 1, "{seen}");
    assert_eq!(watch.interrupt(), 0, "Ctrl-C is how a watch ends");

    let listed = two.run(&["list"]).done().json();
    let names: Vec<&str> = listed["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["kept"]);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn credentials_are_read_and_checked_and_come_out_byte_for_byte() {
    let scratch = Scratch::new("holdfast-cli").unwrap();
    let dev = Dev::start(1, &scratch.path().join("cluster"));
    let device = Device::new(&dev, &scratch, "one");
    device.first(&["create", "--no-passphrase"]).done();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/credentials");
    let files: Vec<String> = ["pid.sd-jwt", "mdl.mdoc", "holder.jwk", "notes.txt"]
        .iter()
        .map(|name| vectors.join(name).to_str().unwrap().to_owned())
        .collect();
    let mut import = vec!["import"];
    import.extend(files.iter().map(String::as_str));
    device.run(&import).done();

    let listed = device.run(&["list"]).done().json();
    let of = |name: &str| {
        let records = listed["records"].as_array().unwrap();
        records.iter().find(|record| record["name"] == name).unwrap().clone()
    };
    assert_eq!(of("pid.sd-jwt")["kind"], "dc+sd-jwt");
    assert_eq!(of("pid.sd-jwt")["policy"], "portable", "its key is in the wallet");
    assert_eq!(of("mdl.mdoc")["kind"], "mso_mdoc");
    assert_eq!(of("mdl.mdoc")["policy"], "re-issue", "its key is in a device");
    assert!(of("pid.sd-jwt")["fields"]["issuer"].is_string());
    assert_eq!(of("notes.txt")["kind"], "opaque");

    let out = scratch.path().join("out");
    device.run(&["export", "--dir", out.to_str().unwrap()]).done();
    for file in &files {
        let name = Path::new(file).file_name().unwrap();
        assert_eq!(fs::read(out.join(name)).unwrap(), fs::read(file).unwrap(), "{name:?}");
        let mode = fs::metadata(out.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name:?}");
    }

    // One damaged file refuses the whole import, naming the file, the part and the byte.
    let damaged = scratch.path().join("damaged.sd-jwt");
    let mut bytes = fs::read(&files[0]).unwrap();
    let middle = bytes.iter().position(|byte| *byte == b'.').unwrap() + 20;
    bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
    fs::write(&damaged, bytes).unwrap();
    let fresh = scratch.path().join("fresh.txt");
    fs::write(&fresh, b"fine").unwrap();
    let refused = device.run(&["import", fresh.to_str().unwrap(), damaged.to_str().unwrap()]);
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert!(
        refused.err.contains("damaged.sd-jwt") && refused.err.contains("at byte"),
        "{}",
        refused.err
    );
    let names = device.run(&["list"]).done().out;
    assert!(!names.contains("fresh.txt"), "nothing of a refused import is stored");
    device.run(&["import", "--opaque", damaged.to_str().unwrap()]).done();

    // What its name says is a credential is never taken for something else, whatever is left of it.
    for name in ["ruined.sd-jwt", "ruined.mdoc"] {
        let ruined = scratch.path().join(name);
        fs::write(&ruined, b"\0\0\0\0").unwrap();
        let refused = device.run(&["import", ruined.to_str().unwrap()]);
        assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
        assert!(refused.err.contains(name), "{}", refused.err);
    }
    assert_eq!(dev.stop(), 0);
}

fn write_secret(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
