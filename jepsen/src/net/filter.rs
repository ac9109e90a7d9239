//! Cuts by the kernel of a node itself: nftables drops what comes in from some addresses.
//!
//! The second way of cutting a link, which owes nothing to the switch.

use super::{End, NetError, packet, space::tool};

const TABLE: &str = "holdfast_chaos";

/// Whether the tool is here and this namespace's kernel takes its rules. To be called inside one.
pub(super) fn available() -> bool {
    tool("nft", &["list", "tables"], "").is_ok()
}

/// Makes the rules; no address is cut yet. Called inside the node's namespace, once or more.
pub(super) fn prepare() -> Result<(), NetError> {
    // One brace a line: nft 1.0.6 refuses a chain on one line.
    let script = format!(
        "table inet {TABLE} {{\n\
         set cut {{\n\
         type ipv4_addr\n\
         }}\n\
         chain in {{\n\
         type filter hook input priority 0; policy accept;\n\
         ip saddr @cut counter drop\n\
         }}\n\
         }}\n"
    );
    tool("nft", &["-f", "-"], &script).map(drop)
}

/// From now on packets from exactly these ends are dropped.
pub(super) fn set(from: &[End]) -> Result<(), NetError> {
    let mut script = format!("flush set inet {TABLE} cut\n");
    for end in from {
        script += &format!("add element inet {TABLE} cut {{ {} }}\n", packet::address(*end));
    }
    tool("nft", &["-f", "-"], &script).map(drop)
}

/// How many packets were dropped so far.
pub(super) fn dropped() -> Result<u64, NetError> {
    let listing = tool("nft", &["list", "chain", "inet", TABLE, "in"], "")?;
    let mut words = listing.split_whitespace().skip_while(|word| *word != "packets");
    let count = words.nth(1).and_then(|count| count.parse().ok());
    count.ok_or(NetError::Tool { name: "nft", said: listing })
}
