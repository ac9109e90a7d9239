//! The network of a run, felt by sockets of its namespaces.
//!
//! Without root or /dev/net/tun most of these tests say that they were skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use jepsen::net::{Counters, Cut, Effect, End, Layout, Link, Net, NetError};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const A: End = End::Node(0);
const B: End = End::Node(1);
const PORT: u16 = 4000;
const ROOM: usize = 16 << 20;
/// How long a socket waits before it is certain that nothing comes.
const QUIET: Duration = Duration::from_secs(2);
/// How long it waits for what must come. Takes time only where a test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// The packet after the last.
const END: u32 = u32::MAX;

/// A network of nodes with nothing between them.
fn near(nodes: usize, seed: u64) -> Option<Net> {
    switch(&Layout::of(nodes, Duration::ZERO, Duration::ZERO).unwrap(), seed)
}

fn switch(layout: &Layout, seed: u64) -> Option<Net> {
    match Net::switch(layout, seed) {
        Ok(net) => Some(net),
        Err(NetError::Lacking(what)) => {
            println!("SKIPPED: {what}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn host(net: &Net, node: usize) -> Ipv4Addr {
    net.plans().unwrap()[node].host.parse().unwrap()
}

fn udp(net: &Net, end: End) -> UdpSocket {
    let socket =
        net.inside(end, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // Room for a whole test, so that what is lost is lost on the link.
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, ROOM).unwrap();
    socket
}

fn send(net: &Net, from: &UdpSocket, to: usize, number: u32) {
    from.send_to(&number.to_be_bytes(), (host(net, to), PORT)).unwrap();
}

/// The number in the next packet.
fn next(socket: &UdpSocket) -> u32 {
    let mut buffer = [0; 4];
    socket.recv(&mut buffer).unwrap();
    u32::from_be_bytes(buffer)
}

fn assert_silence(socket: &UdpSocket) {
    socket.set_read_timeout(Some(QUIET)).unwrap();
    let silence = socket.recv(&mut [0; 4]).unwrap_err().kind();
    assert!(matches!(silence, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
}

/// Sends numbered packets from node 0 to node 1 over a link like this. Gives those that came, in the order
/// in which they came, and what the link says of them.
fn burst(net: &Net, link: Link, count: u32) -> (Vec<u32>, Counters) {
    let (from, to) = (udp(net, A), udp(net, B));
    net.set(A, B, &link);
    for number in 0..count {
        send(net, &from, 1, number);
    }
    let since = Instant::now();
    let counted = loop {
        let counted = counters(net);
        if counted.passed + counted.lost == u64::from(count) + counted.duplicated {
            break counted;
        }
        assert!(since.elapsed() < PATIENCE, "{counted:?}");
        thread::sleep(Duration::from_millis(1));
    };
    net.heal().unwrap();
    send(net, &from, 1, END);
    let came = std::iter::from_fn(|| Some(next(&to)).filter(|number| *number != END));
    (came.collect(), counted)
}

fn counters(net: &Net) -> Counters {
    net.counters()[&(A, B)]
}

/// Sends bytes from node 0 to node 1 over one connection, and gives what came and how long it took.
fn transfer(net: &Net, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let listener = net.inside(B, || TcpListener::bind((host(net, 1), PORT)).unwrap()).unwrap();
    thread::scope(|scope| {
        let came = scope.spawn(|| {
            let mut came = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut came).unwrap();
            came
        });
        let mut stream =
            net.inside(A, || TcpStream::connect((host(net, 1), PORT)).unwrap()).unwrap();
        let begun = Instant::now();
        stream.write_all(bytes).unwrap();
        drop(stream);
        (came.join().unwrap(), begun.elapsed())
    })
}

/// Bytes without any pattern that a lost or doubled piece could hide in.
fn noise(count: usize) -> Vec<u8> {
    (0..count as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

#[test]
fn without_the_switch_there_is_the_proxy_and_it_says_why() {
    let layout = Layout::of(1, Duration::ZERO, Duration::ZERO).unwrap();
    let lacking = match Net::switch(&layout, 0) {
        Ok(_) => None,
        Err(NetError::Lacking(what)) => Some(what),
        Err(error) => panic!("{error}"),
    };
    let net = Net::start(&layout, 0).unwrap();
    assert_eq!(net.kind(), if lacking.is_none() { "switch" } else { "proxy" });
    assert_eq!(net.note(), lacking.as_deref());
    assert_eq!(net.can(Effect::Loss), lacking.is_none());
    assert!(net.can(Effect::Cut));
}

#[test]
fn a_round_trip_takes_no_less_than_both_ways() {
    let Some(net) = switch(&"a:n1 b:n2, 30-40 ms between them".parse().unwrap(), 1) else { return };
    let (a, b) = (udp(&net, A), udp(&net, B));
    for number in 0..20 {
        let begun = Instant::now();
        send(&net, &a, 1, number);
        assert_eq!(next(&b), number);
        send(&net, &b, 0, number);
        assert_eq!(next(&a), number);
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
    assert_eq!(counters(&net).harmed(), counters(&net).delayed, "only the layout's own delay");
}

#[test]
fn the_clients_and_every_node_reach_each_other_and_themselves() {
    let Some(net) = near(3, 2) else { return };
    for from in net.layout().ends() {
        for to in 0..3 {
            let bind = || TcpListener::bind((host(&net, to), PORT)).unwrap();
            let listener = net.inside(End::Node(to), bind).unwrap();
            net.inside(from, || TcpStream::connect((host(&net, to), PORT)).unwrap()).unwrap();
            listener.accept().unwrap();
        }
    }
    net.inside(End::Clients, || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    })
    .unwrap();
}

#[test]
fn a_runtime_built_inside_stays_inside_and_may_reserve_the_nodes_ports() {
    let Some(net) = near(1, 3) else { return };
    let listener = net.inside(A, || TcpListener::bind((host(&net, 0), PORT)).unwrap()).unwrap();
    let came = net.inside(End::Clients, || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let reserved = server::cluster::ports::ReservedPort::any(host(&net, 0).into()).unwrap();
            assert_eq!(reserved.address().ip(), host(&net, 0));
            let connect = tokio::net::TcpStream::connect((host(&net, 0), PORT));
            // On a worker thread and on a thread for blocking work alike.
            tokio::spawn(connect).await.unwrap().unwrap();
            let connect = move |host| TcpStream::connect((host, PORT)).unwrap();
            let host = host(&net, 0);
            tokio::task::spawn_blocking(move || connect(host)).await.unwrap();
            [listener.accept().unwrap().1, listener.accept().unwrap().1]
        })
    });
    for peer in came.unwrap() {
        assert_eq!(peer.ip(), Ipv4Addr::new(10, 77, 0, 250), "through the switch");
    }
}

#[test]
fn a_one_way_cut_lets_the_other_way_pass_until_it_heals() {
    let Some(net) = near(2, 4) else { return };
    let (a, b) = (udp(&net, A), udp(&net, B));
    net.cut(&[(0, 1)].into(), Cut::Silent);
    send(&net, &a, 1, 1);
    send(&net, &b, 0, 2);
    assert_eq!(next(&a), 2);
    assert_silence(&b);
    assert_eq!(counters(&net), Counters { cut: 1, ..Counters::default() });
    net.heal().unwrap();
    send(&net, &a, 1, 3);
    assert_eq!(next(&b), 3);
}

#[test]
fn a_refusing_cut_resets_new_and_old_connections_at_once() {
    let Some(net) = near(2, 5) else { return };
    let listener = net.inside(B, || TcpListener::bind((host(&net, 1), PORT)).unwrap()).unwrap();
    let address = (host(&net, 1), PORT).into();
    let connect = || net.inside(A, || TcpStream::connect_timeout(&address, PATIENCE)).unwrap();
    let mut old = connect().unwrap();
    old.set_read_timeout(Some(PATIENCE)).unwrap();
    let _accepted = listener.accept().unwrap();
    net.cut(&[(0, 1)].into(), Cut::Refuse);
    assert_eq!(connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    old.write_all(b"x").unwrap();
    assert_eq!(old.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(counters(&net).cut, 2);
}

/// Who sets a link does not wait for the traffic to pause.
#[test]
fn a_cut_comes_at_once_under_full_load() {
    let Some(net) = near(2, 14) else { return };
    let (from, to) = (udp(&net, A), udp(&net, B));
    let address = (host(&net, 1), PORT);
    let load = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            while load.load(Ordering::Relaxed) {
                from.send_to(&[0; 1000], address).unwrap();
            }
        });
        for _ in 0..100 {
            to.recv(&mut [0; 1000]).unwrap();
            net.cut(&[(0, 1)].into(), Cut::Silent);
            let cut = counters(&net);
            assert_eq!(counters(&net).passed, cut.passed);
            net.heal().unwrap();
        }
        load.store(false, Ordering::Relaxed);
    });
}

#[test]
fn loss_takes_about_as_many_as_told() {
    let Some(net) = near(2, 6) else { return };
    let (came, counted) = burst(&net, Link { loss: 0.25, ..Link::default() }, 4000);
    let came = came.len() as u64;
    assert_eq!((counted.passed, counted.lost), (came, 4000 - came));
    assert!((900..1100).contains(&counted.lost), "{counted:?}");
}

#[test]
fn duplicates_and_late_packets_are_seen_by_datagrams() {
    let Some(net) = near(2, 7) else { return };
    let link = Link { duplicate: 0.1, reorder: 0.1, ..Link::default() };
    let (came, counted) = burst(&net, link, 2000);
    let mut distinct = came.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct, (0..2000).collect::<Vec<_>>(), "none is lost");
    assert_eq!(came.len() as u64, 2000 + counted.duplicated);
    assert!(counted.duplicated > 100, "{counted:?}");
    assert!(counted.reordered > 100, "{counted:?}");
    assert!(came.windows(2).any(|pair| pair[1] < pair[0]));
}

#[test]
fn a_stream_comes_out_whole_of_a_link_that_damages_loses_doubles_and_turns_packets_round() {
    let Some(net) = near(2, 8) else { return };
    let bad = Link { corrupt: 0.1, loss: 0.03, duplicate: 0.1, reorder: 0.1, ..Link::default() };
    net.set(A, B, &bad);
    net.set(B, A, &bad);
    let sent = noise(2_000_000);
    let (came, _) = transfer(&net, &sent);
    assert!(came == sent, "{} of {} bytes came, or others", came.len(), sent.len());
    let counted = counters(&net);
    assert!(counted.corrupted > 5 && counted.lost > 0 && counted.duplicated > 5, "{counted:?}");
}

#[test]
fn damaged_datagrams_do_not_arrive() {
    let Some(net) = near(2, 9) else { return };
    let (came, counted) = burst(&net, Link { corrupt: 0.5, ..Link::default() }, 1000);
    assert!((400..600).contains(&counted.corrupted), "{counted:?}");
    assert_eq!(came.len() as u64, 1000 - counted.corrupted, "{counted:?}");
    assert!(came.windows(2).all(|pair| pair[0] < pair[1]), "what came is what was sent");
}

#[test]
fn a_narrow_link_carries_no_more_than_told() {
    let Some(net) = near(2, 10) else { return };
    let rate = 1_000_000;
    net.set(A, B, &Link { bytes_per_second: Some(rate), ..Link::default() });
    let sent = noise(1_000_000);
    let (came, took) = transfer(&net, &sent);
    assert!(came == sent);
    // Its buffer may hold the last fifth of a second, but the last byte came out too.
    assert!(took >= Duration::from_millis(950), "{took:?}");
    assert!(counters(&net).delayed > 50);
}

#[test]
fn the_kernel_of_a_node_cuts_by_itself_and_counts() {
    let Some(net) = near(2, 11) else { return };
    if !net.can(Effect::Filter) {
        println!("SKIPPED: nft is missing");
        return;
    }
    let (a, b) = (udp(&net, A), udp(&net, B));
    net.filter(1, A, true).unwrap();
    send(&net, &a, 1, 1);
    send(&net, &b, 0, 2);
    assert_eq!(next(&a), 2);
    assert_silence(&b);
    assert_eq!((net.filtered(1).unwrap(), net.filtered(0).unwrap()), (1, 0));
    assert_eq!(counters(&net).cut, 0, "the switch let it pass");
    net.heal().unwrap();
    send(&net, &a, 1, 3);
    assert_eq!(next(&b), 3);
}
