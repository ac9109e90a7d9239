//! What a running cluster tells those who want to use it: `cluster.json` in its directory, and the
//! first line of `holdfast dev --json`.

use super::{Cluster, admin::OperatorFiles};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A running cluster on this machine. Scripts rely on these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Public endpoints of all nodes, `https://HOST:PORT`.
    pub endpoints: Vec<String>,
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The operator's certificate.
    pub operator_cert: PathBuf,
    /// The operator's key.
    pub operator_key: PathBuf,
    /// The nodes.
    pub nodes: Vec<NodeDescription>,
}

/// One node of a running cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDescription {
    /// Id in the cluster.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Process; none while the node is down.
    pub pid: Option<u32>,
    /// Data centre.
    pub dc: String,
    /// Directory with its configuration, its log and its data.
    pub dir: PathBuf,
    /// Public endpoint.
    pub endpoint: String,
    /// Peer address.
    pub peer: String,
}

/// Why a description was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// There is none.
    #[error("{} cannot be read: {source}; name the directory of a running `holdfast dev`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not the description of a cluster: {source}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What the parser found.
        source: serde_json::Error,
    },
    /// It could not be written.
    #[error("{} cannot be written: {source}", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Description {
    /// Reads what the cluster in this directory wrote.
    ///
    /// # Errors
    /// No cluster has been started there, or the file is damaged.
    pub fn load(dir: &Path) -> Result<Description, DescriptionError> {
        let file = file_in(dir);
        match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| DescriptionError::Malformed { file, source }),
            Err(source) => Err(DescriptionError::Unreadable { file, source }),
        }
    }

    /// The operator's files.
    pub fn operator(&self) -> OperatorFiles {
        OperatorFiles {
            ca: self.ca.clone(),
            cert: self.operator_cert.clone(),
            key: self.operator_key.clone(),
        }
    }
}

impl Cluster {
    /// What this cluster tells those who want to use it.
    pub fn description(&self) -> Description {
        let operator = self.operator();
        Description {
            endpoints: self.endpoints(),
            ca: operator.ca,
            operator_cert: operator.cert,
            operator_key: operator.key,
            nodes: self
                .nodes()
                .iter()
                .map(|node| NodeDescription {
                    id: node.id,
                    name: node.plan.name.clone(),
                    pid: node.pid(),
                    dc: node.plan.dc.clone(),
                    dir: node.dir.clone(),
                    endpoint: node.endpoint.clone(),
                    peer: node.peer.clone(),
                })
                .collect(),
        }
    }

    /// Writes the description where [`Description::load`] finds it. A reader sees the old one or
    /// the new one, never half of one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write_description(&self) -> Result<(), DescriptionError> {
        let file = file_in(self.dir());
        let half = file.with_extension("json.new");
        let text = serde_json::to_vec_pretty(&self.description())
            .map_err(|source| DescriptionError::Malformed { file: file.clone(), source })?;
        fs::write(&half, text)
            .and_then(|()| fs::rename(&half, &file))
            .map_err(|source| DescriptionError::Unwritable { file, source })
    }
}

fn file_in(dir: &Path) -> PathBuf {
    dir.join("cluster.json")
}
