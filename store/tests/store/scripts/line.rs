//! One line of a script: a verb, plain words, and `key=value` pairs.

use store::Reply;
use store::command::SystemReply;

pub(super) struct Line {
    pub(super) verb: String,
    words: Vec<String>,
    pairs: Vec<(String, String)>,
}

impl Line {
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.split_whitespace();
        let verb = parts.next().unwrap().to_owned();
        let (mut words, mut pairs) = (Vec::new(), Vec::new());
        for part in parts {
            match part.split_once('=') {
                Some((key, value)) => pairs.push((key.to_owned(), value.to_owned())),
                None => words.push(part.to_owned()),
            }
        }
        Line { verb, words, pairs }
    }

    /// Whether a plain word stands in it.
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|each| each == word)
    }

    /// The first plain word.
    pub(super) fn first(&self) -> &str {
        self.words.first().unwrap()
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(each, _)| each == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).map(|value| value.parse().unwrap())
    }

    /// The values of a list separated by commas; empty if the key is not there.
    pub(super) fn list(&self, key: &str) -> Vec<&str> {
        self.get(key).map(|value| value.split(',').collect()).unwrap_or_default()
    }
}

/// A reply as a script shows it. Hashes are named by what `head` makes of them.
pub(super) fn show(reply: &Reply, head: impl Fn(&types::ids::HeadHash) -> String) -> String {
    use types::rejection::Rejection;
    match reply {
        Reply::Nothing => "nothing".into(),
        Reply::Pushed { seq, head: hash } => format!("pushed seq={seq} head={}", head(hash)),
        Reply::System(SystemReply::Done) => "done".into(),
        Reply::System(SystemReply::Registered { node }) => format!("registered node={node}"),
        Reply::System(SystemReply::Placed { version }) => format!("placed version={version}"),
        Reply::System(SystemReply::Restored { rows, finished }) => {
            format!("restored rows={rows} finished={finished}")
        }
        Reply::Rejected(Rejection::Conflict { named, found, found_seq }) => {
            format!(
                "rejected conflict: named {}, found {} (seq {found_seq})",
                head(named),
                head(found)
            )
        }
        Reply::Rejected(rejection) => format!("rejected {}: {rejection}", rejection.code()),
    }
}
