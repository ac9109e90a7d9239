use super::*;
use crate::net::Cut;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a socket waits before it is certain that nothing comes.
const QUIET: Duration = Duration::from_secs(2);
/// How long it waits for what must come. Takes time only where a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy of two nodes, with an echo behind the peer address of each. The links of clients to node 0
/// and back, and of node 1 to node 0 and back, are the returned numbers.
struct Bench {
    proxy: Proxy,
    out: usize,
    back: usize,
    between: usize,
}

fn bench() -> Bench {
    let layout = Layout::of(2, Duration::ZERO, Duration::ZERO).unwrap();
    let proxy = Proxy::start(&layout, 1).unwrap();
    let nodes = (0..2).map(|n| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(|| {
                    let stream = stream.unwrap();
                    let _ = std::io::copy(&mut &stream, &mut &stream);
                });
            }
        });
        let config = PathBuf::from(format!("/chaos/{}/{n}/config.toml", std::process::id()));
        Some(Node { public: address.clone(), peer: address, config })
    });
    proxy.lead(nodes.collect());
    let (out, back) = proxy.shared.lanes(End::Clients, 0);
    let (between, _) = proxy.shared.lanes(End::Node(1), 0);
    Bench { proxy, out, back, between }
}

impl Bench {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.proxy.doors[0].peer).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A process that is known as node 1, which sends a line to node 0 and prints the echo.
    fn node(&self) -> Child {
        let port = self.proxy.doors[0].peer.port();
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo hello >&3; read line <&3; echo $line");
        Command::new("bash")
            .args(["-c", &script])
            .arg(&self.proxy.shared.nodes()[1].as_ref().unwrap().config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

fn echo(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    let mut came = vec![0; bytes.len()];
    stream.read_exact(&mut came)?;
    Ok(came)
}

fn cut(how: Cut) -> Link {
    Link { cut: Some(how), ..Link::default() }
}

#[test]
fn bytes_pass_both_ways_no_faster_than_told() {
    let bench = bench();
    bench.proxy.set(bench.out, &Link { delay: Duration::from_millis(20), ..Link::default() });
    bench.proxy.set(bench.back, &Link { delay: Duration::from_millis(30), ..Link::default() });
    let mut stream = bench.connect();
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(echo(&mut stream, b"hello").unwrap(), b"hello");
        assert!(begun.elapsed() >= Duration::from_millis(50));
    }
    bench.proxy.set(bench.out, &Link { bytes_per_second: Some(500_000), ..Link::default() });
    let (begun, bytes) = (Instant::now(), vec![7; 250_000]);
    assert!(echo(&mut stream, &bytes).unwrap() == bytes);
    assert!(begun.elapsed() >= Duration::from_millis(450));
    assert!(bench.proxy.counters()[bench.out].delayed > 0);
}

#[test]
fn a_silent_cut_holds_what_is_sent_until_it_heals() {
    let bench = bench();
    let mut stream = bench.connect();
    echo(&mut stream, b"before").unwrap();
    for lane in [bench.out, bench.back] {
        bench.proxy.set(lane, &cut(Cut::Silent));
        stream.set_read_timeout(Some(QUIET)).unwrap();
        let silence = echo(&mut stream, b"within").unwrap_err();
        assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert_eq!(bench.proxy.counters()[lane].cut, 1);
        bench.proxy.heal();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut came = [0; 6];
        stream.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"within");
    }
}

#[test]
fn a_refusing_cut_resets_old_and_new_connections() {
    let bench = bench();
    let mut old = bench.connect();
    echo(&mut old, b"before").unwrap();
    bench.proxy.set(bench.back, &cut(Cut::Refuse));
    for mut stream in [old, bench.connect()] {
        let reset = stream.read(&mut [0]).unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    }
    assert!(bench.proxy.counters()[bench.back].cut >= 2);
    bench.proxy.heal();
    echo(&mut bench.connect(), b"after").unwrap();
}

#[test]
fn links_are_told_apart_by_the_process_that_connects() {
    let bench = bench();
    let said = |node: Child| node.wait_with_output().unwrap().stdout;
    assert_eq!(said(bench.node()), b"hello\n");
    assert!(bench.proxy.counters()[bench.between].passed > 0);
    assert_eq!(bench.proxy.counters()[bench.out].passed, 0);

    bench.proxy.set(bench.between, &cut(Cut::Refuse));
    assert_eq!(said(bench.node()), b"\n", "the node is refused");
    echo(&mut bench.connect(), b"clients are not").unwrap();
}
