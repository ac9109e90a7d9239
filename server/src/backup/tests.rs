//! Attack 32 without processes: whatever is done to an archive, it is not believed, and the file is named.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use store::backup::{GroupExport, Manifest};
use store::command::{Bootstrap, Command, NewNode, SystemCommand};
use store::engine::memory::MemoryEngine;
use store::{Act, AuditLeaf, Caller, Entry, Machine, Payload, Policy, Position};
use types::node::Role;
use types::{ClusterId, GroupId, Incarnation, RequestId};

use super::take::{keep, seal};
use super::*;
use crate::cluster::Scratch;
use crate::cluster::admin::OperatorFiles;
use crate::cluster::authority::{Authority, Credential};

mod attacks;
mod streams;

/// An archive, the authority of the cluster in it, and one of its operators.
struct World {
    scratch: Scratch,
    authority: Authority,
    archive: Archive,
    trust: Trust,
    signer: Signer,
    groups: Vec<Machine>,
    acts: u64,
}

const CLUSTER: ClusterId = ClusterId::from_bytes([7; 16]);

impl World {
    fn new() -> World {
        let scratch = Scratch::new("holdfast-backup").unwrap();
        let authority = Authority::new("holdfast.local").unwrap();
        let ca = scratch.path().join("ca.pem");
        fs::write(&ca, authority.certificate()).unwrap();
        let trust = Trust::load(&ca).unwrap();
        let files = write(&scratch, "operator", &authority.operator("admin").unwrap());
        let signer = Signer::load(&files, &trust).unwrap();
        let archive = Archive::create(scratch.path().join("archive").to_str().unwrap()).unwrap();
        let groups = (0..3)
            .map(|group| Machine::open(Arc::new(MemoryEngine::new()), GroupId(group)).unwrap())
            .collect();
        let mut world = World { scratch, authority, archive, trust, signer, groups, acts: 0 };
        let node = NewNode {
            name: "a".into(),
            dc: "dc1".into(),
            role: Role::Data,
            peer: "a.example:7001".into(),
            endpoint: "https://a.example:7000".into(),
            incarnation: Incarnation::from_bytes([1; 16]),
        };
        let bootstrap = Bootstrap {
            cluster: CLUSTER,
            nodes: vec![node],
            wallet_groups: 1,
            regions: vec![0],
            allow_single_dc: true,
            policy: Policy::default(),
        };
        world.act(0..3, SystemCommand::Bootstrap(bootstrap));
        world
    }

    fn act(&mut self, groups: std::ops::Range<usize>, command: SystemCommand) {
        let number = self.acts;
        self.acts += 1;
        let request = types::hash::tagged("holdfast/1 test", &[&number.to_be_bytes()]);
        let act = Act {
            caller: Caller::named("spiffe://test/operator/olga"),
            request: RequestId::from_bytes(request),
            after: number,
            time_ms: 1_000 + number,
            leaf: AuditLeaf { token: request },
        };
        let payload = Payload::Command(Command::System(act, Box::new(command)).encode().unwrap());
        let position = Position { term: 1, leader: 1, index: number };
        for group in &mut self.groups[groups] {
            group.apply(&[Entry { position, payload: payload.clone() }]).unwrap();
        }
    }

    /// Acts that leave rows in the wallet group, about half a kilobyte each.
    fn grow(&mut self, acts: u64) {
        for _ in 0..acts {
            self.act(2..3, SystemCommand::SetPolicy(Policy::default()));
        }
    }

    /// A backup of what is there now; gives its name.
    async fn take(&mut self) -> String {
        self.take_as(super::now_ms()).await.unwrap()
    }

    async fn take_as(&mut self, created_ms: u64) -> Result<String, BackupError> {
        let mut groups = Vec::new();
        for (number, machine) in (0..).zip(&mut self.groups) {
            let mut source = machine.snapshot().unwrap();
            let mut export = GroupExport::of(GroupId(number));
            while let Some(frame) = source.next_frame().unwrap() {
                for chunk in export.frame(&frame).unwrap() {
                    keep(&self.archive, chunk).await.unwrap();
                }
            }
            let (last, backup, _) = export.finish().unwrap();
            keep(&self.archive, last.unwrap()).await.unwrap();
            groups.push(backup);
        }
        let (cluster, release) = (CLUSTER, "0.1.0".to_owned());
        let manifest =
            Manifest { cluster, created_ms, before: [0; 32], release, wallet_groups: 1, groups };
        let (archive, signer, trust) = (&self.archive, &self.signer, &self.trust);
        Ok(seal(archive, signer, trust, &manifest, &silent).await?.0)
    }

    /// Everything that a restore does before its first write.
    async fn believe(&self, name: Option<&str>) -> Result<Found, BackupError> {
        let found = find(&self.archive, &self.trust, name).await?;
        check(&self.archive, &found.name, &found.manifest, &silent).await?;
        Ok(found)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.scratch.path().join("archive").join(file)
    }

    /// Every file of the archive, below its root.
    fn files(&self) -> Vec<String> {
        let root = self.path("");
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files.sort_unstable();
        files
    }
}

fn silent(_: Told) {}

fn write(scratch: &Scratch, name: &str, credential: &Credential) -> OperatorFiles {
    let path = |end: &str| scratch.path().join(format!("{name}.{end}"));
    fs::write(path("pem"), &credential.certificate).unwrap();
    fs::write(path("key"), credential.key.as_bytes()).unwrap();
    OperatorFiles { ca: scratch.path().join("ca.pem"), cert: path("pem"), key: path("key") }
}

/// The file that an error is about, and the whole of what it says.
fn damaged(error: BackupError) -> (String, String) {
    let BackupError::Damaged { file, what } = &error else { panic!("not damage: {error:?}") };
    let mut said = what.to_string();
    let mut cause = std::error::Error::source(what);
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    (file.clone(), said)
}
