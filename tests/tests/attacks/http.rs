//! HTTP/1.1 as no honest client writes it.

use tests::{Plan, raw};

/// Attack 25: what two readers could read differently is refused, and the connection with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_could_be_read_in_two_ways_is_refused() {
    let lab = Plan::of(1).start().await;
    let hidden = "GET /readyz HTTP/1.1\r\nhost: b\r\n\r\n";
    let chunked = format!("0\r\n\r\n{hidden}");
    let request = |headers: &str, body: &str| {
        format!(
            "POST /v1/challenges HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{headers}\r\n{body}"
        )
    };
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    for (what, text) in [
        ("two lengths", request("content-length: 2\r\ncontent-length: 3\r\n", "{}")),
        ("two lengths in one", request("content-length: 2, 3\r\n", "{}")),
        ("a signed length", request("content-length: +2\r\n", "{}")),
        ("a negative length", request("content-length: -1\r\n", "{}")),
        ("a length with a space in it", request("content-length: 1 2\r\n", "{}")),
        ("a length without end", request(&format!("content-length: {}\r\n", "9".repeat(40)), "{}")),
        ("a coding that there is not", request("transfer-encoding: zip\r\n", "{}")),
        (
            "chunked, and then something",
            request("transfer-encoding: chunked, identity\r\n", &chunked),
        ),
        ("a space before the colon", request("content-length : 2\r\n", "{}")),
        ("a folded header", request("x-folded: a\r\n b: c\r\n", "")),
        ("a zero in a header", request("x-zero: a\0b\r\n", "")),
        ("a carriage return alone", request("x-cr: a\rb\r\n", "")),
        ("a header without a name", request(": a\r\n", "")),
        ("more headers than any client sends", request(&many, "")),
        ("no such version", "GET /livez HTTP/9.9\r\nhost: a\r\n\r\n".to_owned()),
        ("a space in the path", "GET /li vez HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("a method that is no token", "GE\u{1}T /livez HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("nonsense", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned()),
    ] {
        let answer = raw::say(&lab, format!("{text}{hidden}").as_bytes()).await;
        let statuses = answer.statuses();
        assert!(matches!(statuses[..], [] | [400] | [431] | [505]), "{what}: {statuses:?}");
        assert!(answer.closed, "{what}: the connection goes on: {answer:?}");
    }
    // Length and chunks: whoever stands in front may have read the length.
    let both = request("content-length: 4\r\ntransfer-encoding: chunked\r\n", &chunked);
    let answer = raw::say(&lab, both.as_bytes()).await;
    assert!(answer.statuses().len() <= 1 && answer.closed, "smuggled: {answer:?}");
    // Bad chunks end the request, and what stands behind them is none.
    for chunks in [
        "x\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "-1\r\n",
        "fffffffffffffffff\r\n",
        "2;\r\r\n{}\r\n0\r\n\r\n",
    ] {
        let text = request("transfer-encoding: chunked\r\n", chunks);
        let answer = raw::say(&lab, format!("{text}{hidden}").as_bytes()).await;
        let statuses = answer.statuses();
        assert!(matches!(statuses[..], [] | [400]), "{chunks:?}: {answer:?}");
        assert!(answer.closed, "{chunks:?}: the connection goes on");
    }
    let honest = request("content-length: 2\r\nconnection: close\r\n", "{}");
    let honest = raw::say(&lab, honest.as_bytes()).await;
    assert_eq!(honest.statuses(), [200], "an honest request is served meanwhile");
}

/// Attack 35: nothing that a stranger sends begins a line of the log.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_lines_into_the_log() {
    let lab =
        Plan::of(1).setting("log.format", "json").setting("log.filter", "debug").start().await;
    let forged = "forged-line-7f3a";
    for text in [
        format!("GET /%0a%0d{forged} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
        format!("GET /{forged}\u{202e} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nhost: a\r\nx-\u{1b}[2J: {forged}\r\n\r\n"),
        format!(
            "GET /v1/admin/status HTTP/1.1\r\nhost: {forged}\\n\r\nauthorization: DPoP {forged}\r\nconnection: close\r\n\r\n"
        ),
        format!(
            "POST /holdfast.v1.Wallets/Push HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ngrpc-timeout: {forged}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
    ] {
        raw::say(&lab, text.as_bytes()).await;
    }
    let log = lab.log(0);
    assert!(!log.is_empty());
    for line in log.lines().filter(|line| !line.is_empty()) {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "a line that the node did not write: {line:?}");
        assert!(!line.bytes().any(|byte| byte < 0x20), "{line:?}");
    }
}
