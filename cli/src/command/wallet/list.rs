//! `wallet list`: what is stored, decoded on this device.

use crate::{failure::Failure, output::Output};
use client::{
    RecordInfo, Wallet,
    credential::{
        Moment,
        filing::{FIELD_ISSUER, FIELD_TYPE, FIELD_VALID_UNTIL, PORTABLE, REISSUE},
    },
};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn run(wallet: &Wallet, output: &Output) -> Result<(), Failure> {
    let records = wallet.list()?;
    if output.is_json() {
        let records: Vec<_> = records.iter().map(as_json).collect();
        output.value(&json!({ "wallet": wallet.id().to_string(), "records": records }));
        return Ok(());
    }
    if records.is_empty() {
        output.line("no records; `import FILE` or `put NAME FILE` stores one");
        return Ok(());
    }
    let now = now();
    output.line(format!(
        "{:<24} {:<10} {:<34} {:<24} {:<14} {:<10} NOTES",
        "NAME", "KIND", "TYPE", "ISSUER", "VALID UNTIL", "TRAVELS"
    ));
    for info in &records {
        output.line(as_text(info, now));
    }
    Ok(())
}

fn as_text(info: &RecordInfo, now: Option<Moment>) -> String {
    let Some(record) = &info.record else {
        return format!("{:<24} written by a newer version; update this program", info.id);
    };
    let field = |name: &str| record.fields.get(name).map_or("", String::as_str);
    let until = field(FIELD_VALID_UNTIL);
    let mut notes = Vec::new();
    if Moment::parse(until).zip(now).is_some_and(|(until, now)| until < now) {
        notes.push("EXPIRED".to_owned());
    }
    match info.conflicts() {
        0 => {}
        1 => notes.push("CONFLICT: one value set aside".to_owned()),
        n => notes.push(format!("CONFLICT: {n} values set aside")),
    }
    if info.changed {
        notes.push("not pushed".to_owned());
    }
    format!(
        "{:<24} {:<10} {:<34} {:<24} {:<14} {:<10} {}",
        cut(&record.name, 24),
        cut(&record.kind, 10),
        cut(field(FIELD_TYPE), 34),
        cut(field(FIELD_ISSUER), 24),
        until.split('T').next().unwrap_or_default(),
        travels(&record.policy),
        notes.join(", ")
    )
    .trim_end()
    .to_owned()
}

/// How a record reaches another device, in words.
pub(crate) fn travels(policy: &str) -> &str {
    match policy {
        PORTABLE => "portable",
        REISSUE => "re-issue",
        _ => "as it is",
    }
}

fn as_json(info: &RecordInfo) -> serde_json::Value {
    let record = info.record.as_ref();
    json!({
        "id": info.id.to_string(),
        "version": info.version,
        "changed": info.changed,
        "conflicts": info.conflicts(),
        "readable": record.is_some(),
        "name": record.map(|record| &record.name),
        "kind": record.map(|record| &record.kind),
        "policy": record.map(|record| &record.policy),
        "portable": record.map(|record| record.policy != REISSUE),
        "fields": record.map(|record| &record.fields),
        "bytes": record.map(|record| record.body.len()),
    })
}

/// At most `width` characters, so that columns stay columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn now() -> Option<Moment> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Moment::from_unix_s(i64::try_from(since.as_secs()).ok()?)
}
