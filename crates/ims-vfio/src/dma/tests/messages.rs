// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that only the client has.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use super::*;

enum Waits {
    Read(u64, usize, ReadThen),
    Write(u64, Vec<u8>, WriteThen),
}

/// A client that answers when it is told to.
struct Client {
    waits: Mutex<Vec<Waits>>,
    memory: Mutex<Vec<u8>>,
    sent: Mutex<Sender<()>>,
    may_wait: AtomicBool,
    abandoned: AtomicU32,
}

impl Client {
    fn new() -> (Arc<Self>, Receiver<()>) {
        let (sent, arrived) = channel();
        let client = Self {
            waits: Mutex::new(Vec::new()),
            memory: Mutex::new(vec![0; 0x10000]),
            sent: Mutex::new(sent),
            may_wait: AtomicBool::new(true),
            abandoned: AtomicU32::new(0),
        };
        (Arc::new(client), arrived)
    }

    fn put(&self, address: u64, data: &[u8]) {
        let at = usize::try_from(address).unwrap();
        self.memory.lock().unwrap()[at..at + data.len()].copy_from_slice(data);
    }

    fn get(&self, address: u64, length: usize) -> Vec<u8> {
        let at = usize::try_from(address).unwrap();
        self.memory.lock().unwrap()[at..at + length].to_vec()
    }

    fn waiting(&self, waits: Waits) {
        self.waits.lock().unwrap().push(waits);
        let _ = self.sent.lock().unwrap().send(());
    }

    /// Does what was asked, the last first.
    fn answer(&self) {
        let waits = std::mem::take(&mut *self.waits.lock().unwrap());
        for waits in waits.into_iter().rev() {
            match waits {
                Waits::Read(address, length, then) => then(Ok(&self.get(address, length))),
                Waits::Write(address, data, then) => {
                    self.put(address, &data);
                    then(Ok(()));
                }
            }
        }
    }
}

impl Remote for Client {
    fn read(&self, address: u64, length: usize, then: ReadThen) {
        self.waiting(Waits::Read(address, length, then));
    }

    fn write(&self, address: u64, data: &[u8], then: WriteThen) {
        self.waiting(Waits::Write(address, data.to_vec(), then));
    }

    fn post(&self, address: u64, data: &[u8]) -> Result<(), Errno> {
        self.put(address, data);
        Ok(())
    }

    fn abandon(&self, _range: Option<std::ops::Range<u64>>) {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
        let waits = std::mem::take(&mut *self.waits.lock().unwrap());
        for waits in waits {
            match waits {
                Waits::Read(_, _, then) => then(Err(Errno::CANCELED)),
                Waits::Write(_, _, then) => then(Err(Errno::CANCELED)),
            }
        }
    }

    fn may_wait(&self) -> bool {
        self.may_wait.load(Ordering::Relaxed)
    }
}

const SOON: Duration = Duration::from_secs(20);

fn with_client() -> (Dma, Arc<Client>, Receiver<()>) {
    let dma = allowed();
    let (client, arrived) = Client::new();
    dma.set_remote(Some(client.clone()));
    (dma, client, arrived)
}

#[test]
fn an_interrupt_waits_until_its_data_is_there() {
    let (dma, client, arrived) = with_client();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    let (interrupt, raised) = channel();
    let worker = thread::spawn({
        let dma = dma.clone();
        move || {
            let session = dma.session().unwrap();
            session.write(0x1000, &[7; 8]).unwrap();
            interrupt.send(()).unwrap();
        }
    });
    arrived.recv_timeout(SOON).unwrap();
    // The message is out and not answered: no interrupt, however long it takes.
    assert!(raised.recv_timeout(Duration::from_millis(50)).is_err());
    client.answer();
    raised.recv_timeout(SOON).unwrap();
    assert_eq!(client.get(0x1000, 8), [7; 8]);
    worker.join().unwrap();
}

#[test]
fn one_access_mixes_memory_and_messages() {
    let (dma, client, arrived) = with_client();
    let ram = Ram::new(0x1000);
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    dma.map(map(0x2000, 0x1000, &ram, 0)).unwrap();
    dma.map(by_message(0x3000, 0x1000)).unwrap();
    let worker = thread::spawn({
        let dma = dma.clone();
        move || {
            let session = dma.session().unwrap();
            let data: Vec<u8> = (0..0x1010).map(|at| (at % 255) as u8).collect();
            session.write(0x1ff8, &data).unwrap();
            let mut back = vec![0; 0x1010];
            session.read(0x1ff8, &mut back).unwrap();
            assert_eq!(back, data);
        }
    });
    for _ in 0..2 {
        arrived.recv_timeout(SOON).unwrap();
        arrived.recv_timeout(SOON).unwrap();
        client.answer();
    }
    worker.join().unwrap();
    assert_eq!(client.get(0x1ff8, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(ram.bytes()[0], 8);
}

#[test]
fn the_thread_that_receives_answers_does_not_wait_for_one() {
    let (dma, client, _arrived) = with_client();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    client.may_wait.store(false, Ordering::Relaxed);
    let session = dma.session().unwrap();
    assert_eq!(session.write(0x1000, &[1]), Err(DmaError::WouldBlock));
    assert_eq!(session.read(0x1000, &mut [0]), Err(DmaError::WouldBlock));
    assert!(client.waits.lock().unwrap().is_empty());
    let (done, result) = channel();
    session.write_then(0x1000, &[9], move |answer| done.send(answer).unwrap());
    assert!(result.try_recv().is_err());
    client.answer();
    assert_eq!(result.try_recv(), Ok(Ok(())));
    let (done, result) = channel();
    session.read_then(0x1000, 2, move |answer| {
        done.send(answer.map(<[u8]>::to_vec)).unwrap();
    });
    client.answer();
    assert_eq!(result.try_recv(), Ok(Ok(vec![9, 0])));
    session.post(0x1002, &[5]).unwrap();
    assert_eq!(client.get(0x1000, 3), [9, 0, 5]);
}

#[test]
fn mapped_memory_needs_no_message_and_is_done_at_once() {
    let dma = allowed();
    let ram = Ram::new(0x1000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let session = dma.session().unwrap();
    let (done, result) = channel();
    session.write_then(0x1000, &[1, 2], move |answer| done.send(answer).unwrap());
    assert_eq!(result.try_recv(), Ok(Ok(())));
    let (done, result) = channel();
    session.read_then(0x1001, 1, move |answer| {
        done.send(answer.map(<[u8]>::to_vec)).unwrap();
    });
    assert_eq!(result.try_recv(), Ok(Ok(vec![2])));
    let (done, result) = channel();
    session.write_then(0x5000, &[1], move |answer| done.send(answer).unwrap());
    let unmapped = DmaError::Unmapped { address: 0x5000 };
    assert_eq!(result.try_recv(), Ok(Err(unmapped)));
}

#[test]
fn without_a_client_there_is_nobody_to_ask() {
    let dma = allowed();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    let session = dma.session().unwrap();
    assert_eq!(session.write(0x1000, &[1]), Err(DmaError::NoClient));
    assert_eq!(session.post(0x1000, &[1]), Err(DmaError::NoClient));
}

#[test]
fn a_client_that_answers_with_less_or_an_error_is_an_error() {
    let (dma, client, _arrived) = with_client();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    let session = dma.session().unwrap();
    let ask = |answer: Option<Result<&[u8], Errno>>| {
        let (done, result) = channel();
        session.read_then(0x1000, 4, move |answer| {
            done.send(answer.map(<[u8]>::to_vec)).unwrap();
        });
        let asked = client.waits.lock().unwrap().pop();
        let Some(Waits::Read(_, 4, then)) = asked else {
            panic!("a read of four bytes was asked for");
        };
        match answer {
            Some(answer) => then(answer),
            None => drop(then),
        }
        result.try_recv().unwrap()
    };
    let remote = |errno| Err(DmaError::Remote(errno));
    assert_eq!(ask(Some(Ok(&[1, 2, 3]))), remote(Errno::BADMSG));
    assert_eq!(ask(Some(Ok(&[1, 2, 3, 4, 5]))), remote(Errno::BADMSG));
    assert_eq!(ask(Some(Err(Errno::NODEV))), remote(Errno::NODEV));
    assert_eq!(ask(None), remote(Errno::CANCELED));
    assert_eq!(ask(Some(Ok(&[1, 2, 3, 4]))), Ok(vec![1, 2, 3, 4]));
}

/// One of the things that take memory away.
type Away = fn(&Dma, Hold);

#[test]
fn nobody_waits_for_a_client_that_waits_for_us() {
    let aways: [Away; 4] = [
        |dma, hold| dma.unmap(0x1000, 0x1000, hold).unwrap(),
        Dma::unmap_all,
        Dma::block,
        |dma, hold| {
            dma.set_remote(None);
            dma.unmap_all(hold);
        },
    ];
    for away in aways {
        let (dma, client, arrived) = with_client();
        dma.map(by_message(0x1000, 0x1000)).unwrap();
        let worker = thread::spawn({
            let dma = dma.clone();
            move || dma.session().unwrap().write(0x1000, &[1])
        });
        arrived.recv_timeout(SOON).unwrap();
        let (done, told) = channel();
        let done = Mutex::new(done);
        let hold = Hold::new(move || {
            let _ = done.lock().unwrap().send(());
        });
        away(&dma, hold);
        told.recv_timeout(SOON).unwrap();
        let canceled = Err(DmaError::Remote(Errno::CANCELED));
        assert_eq!(worker.join().unwrap(), canceled);
        assert!(client.waits.lock().unwrap().is_empty());
    }
}

#[test]
fn a_message_in_one_map_outlives_the_unmap_of_another() {
    let (dma, client, _arrived) = with_client();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    dma.map(by_message(0x2000, 0x1000)).unwrap();
    let session = dma.session().unwrap();
    let (done, result) = channel();
    session.write_then(0x1000, &[3], move |answer| done.send(answer).unwrap());
    dma.unmap(0x2000, 0x1000, Hold::nobody()).unwrap();
    assert_eq!(client.abandoned.load(Ordering::SeqCst), 0);
    client.answer();
    assert_eq!(result.try_recv(), Ok(Ok(())));
}

#[test]
fn a_callback_is_part_of_its_session_even_when_that_is_dropped() {
    let (dma, _client, _arrived) = with_client();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    let session = dma.session().unwrap();
    let told = Told::default();
    let (done, result) = channel();
    session.write_then(0x1000, &[3], {
        let told = told.clone();
        move |answer| done.send((answer, told.times())).unwrap()
    });
    drop(session);
    dma.block(told.hold());
    let canceled = Err(DmaError::Remote(Errno::CANCELED));
    assert_eq!(result.try_recv(), Ok((canceled, 0)));
    assert_eq!(told.times(), 1);
}

#[test]
fn many_messages_meet_unmaps_and_none_hangs() {
    let (dma, client, _arrived) = with_client();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (dma, stop) = (dma.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let session = dma.session().unwrap();
                    let _ = session.write(0x1ff0, &[1; 8]);
                    let _ = session.read(0x1000, &mut [0; 8]);
                }
            })
        })
        .collect();
    // This client answers nothing: each message ends by an unmap, or hangs.
    for round in 0..500 {
        let (done, told) = channel();
        let done = Mutex::new(done);
        let hold = Hold::new(move || {
            let _ = done.lock().unwrap().send(());
        });
        if round % 3 == 0 {
            dma.unmap_all(hold);
        } else {
            dma.unmap(0x1000, 0x1000, hold).unwrap();
        }
        told.recv_timeout(SOON).unwrap();
        dma.map(by_message(0x1000, 0x1000)).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    dma.set_remote(None);
    dma.unmap_all(Hold::nobody());
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(client.waits.lock().unwrap().is_empty());
}
