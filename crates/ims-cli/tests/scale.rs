// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A thousand virtual devices of one physical device, in a server of its own, each
//! driven over its own connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod program;
mod served;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use ims_dsa::layout::{Descriptor, Flags, Opcode};
use ims_dsa_driver::Driver;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use served::Served;
use zerocopy::little_endian::{U16, U32, U64};

const INTERFACES: usize = 1000;
/// The miscellaneous one, and four of the store.
const VECTORS: u16 = 5;
const BACKED: u16 = VECTORS - 1;
const BUSY: usize = 64;
/// What a busy client has under way.
const WINDOW: usize = 8;
const LIMIT: Duration = Duration::from_secs(30);
/// How much the busy ones do on average: many times what each has under way.
const SHARE: usize = 512;
const COPY: usize = 0x2000;
const MEMORY: u64 = 0x2_0000;
/// Descriptors for what is not an interface's: streams, the harness, the server's
/// threads.
const OTHERS: u64 = 200;
/// A listening socket, a connection, memory; and the triggers.
const DESCRIPTORS: u64 = 3 + VECTORS as u64;

/// A driver with its device enabled, and the handles of its interrupts.
struct Client {
    driver: Driver,
    handles: Vec<u16>,
    source: u64,
    target: u64,
    records: u64,
}

impl Client {
    fn new(path: &std::path::Path, mark: u8) -> Self {
        let mut driver = Driver::open(path, MEMORY, VECTORS).unwrap();
        driver.enable().unwrap();
        driver.enable_queue(0).unwrap();
        let handles = (1..VECTORS)
            .map(|vector| driver.request_handle(vector, false).unwrap())
            .collect();
        let source = driver.arena.take(COPY, 64).unwrap().address;
        let target = driver.arena.take(COPY * WINDOW, 64).unwrap().address;
        let records = driver.arena.take(32 * WINDOW, 32).unwrap().address;
        driver.arena.write(source, &[mark; COPY]).unwrap();
        Self {
            driver,
            handles,
            source,
            target,
            records,
        }
    }

    fn record(&self, place: usize) -> u64 {
        self.records + 32 * place as u64
    }

    /// Submits a copy that raises `vector`, into place `place`.
    fn submit(&mut self, place: usize, vector: u16) {
        let record = self.record(place);
        self.driver.arena.clear(record).unwrap();
        let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD | Flags::REQUEST_INTERRUPT;
        let descriptor = Descriptor {
            completion: U64::new(record),
            source: U64::new(self.source),
            destination: U64::new(self.target + (COPY * place) as u64),
            size: U32::new(COPY as u32),
            handle: U16::new(self.handles[usize::from(vector) - 1]),
            ..Descriptor::new(Opcode::MemoryMove, flags)
        };
        self.driver.submit(0, false, &descriptor).unwrap();
    }

    fn check(&self, place: usize, mark: u8) {
        let mut copied = [0; COPY];
        let at = self.target + (COPY * place) as u64;
        self.driver.arena.read(at, &mut copied).unwrap();
        assert!(copied.iter().all(|byte| *byte == mark), "data of another");
    }

    /// Waits until `vector` was signalled `count` times.
    fn signalled(&self, vector: u16, count: u64) {
        let deadline = Instant::now() + LIMIT;
        let mut seen = 0;
        while seen < count {
            assert!(Instant::now() < deadline, "{seen} of {count} interrupts");
            seen += self
                .driver
                .vectors()
                .wait(vector, Duration::from_millis(100))
                .unwrap();
        }
        assert_eq!(seen, count);
    }
}

fn mark(number: usize) -> u8 {
    (number % 251) as u8 + 1
}

/// Raises the limit of open files to what is allowed; says why if that is not enough.
fn short_of_files() -> Option<String> {
    let needed = OTHERS + DESCRIPTORS * INTERFACES as u64;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Some(maximum) = maximum.filter(|maximum| *maximum < needed) {
        return Some(format!(
            "{needed} open files are needed and `ulimit -Hn` is {maximum}"
        ));
    }
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    None
}

#[test]
fn a_thousand_interfaces_of_one_device_work_beside_each_other() {
    const NAME: &str = "a_thousand_interfaces_of_one_device_work_beside_each_other";
    if let Some(why) = short_of_files() {
        eprintln!("SKIPPED {NAME}: {why}");
        return;
    }
    let vectors = VECTORS.to_string();
    let count = INTERFACES.to_string();
    let served = Served::start(
        "scale",
        &[
            "--compose",
            &count,
            "--ims-entries",
            "4096",
            "--vectors",
            &vectors,
        ],
    );
    let sockets = served.sockets();
    assert_eq!(sockets.len(), INTERFACES);
    let before = served.usage();

    let mut clients: Vec<Client> = sockets
        .iter()
        .enumerate()
        .map(|(number, path)| Client::new(path, mark(number)))
        .collect();
    let attached = served.usage();
    assert_eq!(
        attached.threads, before.threads,
        "a thread for an interface"
    );

    // Each interrupt has an entry of its own in the one store.
    let entries: BTreeSet<u16> = clients
        .iter()
        .flat_map(|client| client.handles.iter().copied())
        .collect();
    assert_eq!(entries.len(), INTERFACES * usize::from(BACKED));

    // Each of 4000 interrupts, once, after its data.
    for client in &mut clients {
        for vector in 1..VECTORS {
            client.submit(usize::from(vector), vector);
        }
    }
    for (number, client) in clients.iter().enumerate() {
        for vector in 1..VECTORS {
            client.signalled(vector, 1);
            client.check(usize::from(vector), mark(number));
        }
    }

    let begun = Instant::now();
    let work = busy(clients.split_at_mut(BUSY).0);
    let took = begun.elapsed();
    let total: usize = work.iter().sum();
    let least = *work.iter().min().unwrap();
    let most = *work.iter().max().unwrap();
    // All have the same priority, and each has descriptors waiting whenever it was
    // looked at: engines that take them in turn leave nobody behind by much.
    assert!(
        least * 2 >= most,
        "of {BUSY} one had {least} and another {most}"
    );
    assert_eq!(served.usage().threads, before.threads);

    let told = served.stat();
    let rows = told["devices"].as_array().unwrap();
    assert_eq!(rows.len(), INTERFACES);
    let mut ims = 0;
    let mut once = 0;
    for vector in rows
        .iter()
        .flat_map(|row| row["interrupts"].as_array().unwrap())
    {
        if vector["kind"] != "ims" {
            continue;
        }
        ims += 1;
        let of = |name: &str| vector[name].as_u64().unwrap();
        assert!(of("raised") >= 1);
        once += usize::from(of("delivered") == 1);
        assert_eq!(of("raised"), of("delivered") + of("coalesced"));
        assert_eq!(of("held") + of("faulted"), 0);
    }
    assert_eq!(ims, INTERFACES * usize::from(BACKED));
    // All but those of the busy ones, and nobody has a signal that was not looked at.
    assert_eq!(once, ims - BUSY);
    for client in clients.iter().skip(BUSY) {
        for vector in 1..VECTORS {
            assert_eq!(client.driver.vectors().taken(vector).unwrap(), 0);
        }
    }

    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / INTERFACES as f64;
    println!(
        "{INTERFACES} interfaces attached: {:.1} KiB and {:.1} descriptors each, {} threads; \
         {BUSY} at work: {total} copies in {took:?}, {least} to {most} each",
        each(attached.resident_kib, before.resident_kib),
        each(attached.descriptors, before.descriptors),
        attached.threads,
    );
}

/// All of them have work at once, until they have done [`SHARE`] on average; how
/// much each did. One thread looks after all, so that what they get is for the
/// engines to say and not for the scheduler of this process.
fn busy(clients: &mut [Client]) -> Vec<usize> {
    let mut done = vec![0; clients.len()];
    for client in clients.iter_mut() {
        for place in 0..WINDOW {
            client.submit(place, 1);
        }
    }
    let deadline = Instant::now() + LIMIT;
    while done.iter().sum::<usize>() < SHARE * clients.len() {
        assert!(Instant::now() < deadline, "{done:?}");
        for (number, client) in clients.iter_mut().enumerate() {
            for place in 0..WINDOW {
                let record = client.record(place);
                let Some(completion) = client.driver.arena.completion(record).unwrap() else {
                    continue;
                };
                assert_eq!(completion.status, 1);
                client.check(place, mark(number));
                client.submit(place, 1);
                done[number] += 1;
            }
        }
        thread::yield_now();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        for place in 0..WINDOW {
            let completion = client.driver.wait(client.record(place)).unwrap();
            assert_eq!(completion.status, 1);
            client.check(place, mark(number));
        }
    }
    done
}
