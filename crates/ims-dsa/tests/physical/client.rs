// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client: takes messages, has eventfds.

use std::collections::HashMap;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use ims_vfio::Endpoint;
use ims_vfio::dma::{ReadThen, Remote, WriteThen};
use ims_vfio::irqs::{Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, dup, read};

type Look = Box<dyn Fn(u64, u32) + Send>;

/// The client's end: interrupt messages in the order of their arrival.
#[derive(Default)]
pub struct Client {
    messages: Mutex<Vec<(u64, u32)>>,
    /// Called at each message, before it is written down.
    pub look: Mutex<Option<Look>>,
    /// What it answers, if it is not a yes.
    pub refuses: Mutex<Option<Errno>>,
}

impl Remote for Client {
    fn read(&self, _: u64, _: usize, then: ReadThen) {
        then(Err(Errno::OPNOTSUPP));
    }

    fn write(&self, address: u64, data: &[u8], then: WriteThen) {
        let data = u32::from_le_bytes(data.try_into().expect("a message has four bytes"));
        if let Some(look) = &*self.look.lock().unwrap() {
            look(address, data);
        }
        let refuses = *self.refuses.lock().unwrap();
        self.messages.lock().unwrap().push((address, data));
        then(refuses.map_or(Ok(()), Err));
    }

    fn post(&self, _: u64, _: &[u8]) -> Result<(), Errno> {
        panic!("interrupts are acknowledged");
    }

    fn abandon(&self, _: Option<Range<u64>>) {}

    fn may_wait(&self) -> bool {
        true
    }
}

impl Client {
    pub fn messages(&self) -> Vec<(u64, u32)> {
        self.messages.lock().unwrap().clone()
    }

    pub fn count(&self, message: (u64, u32)) -> usize {
        self.messages()
            .iter()
            .filter(|one| **one == message)
            .count()
    }
}

/// The eventfds of MSI-X.
pub struct Eventfds(Vec<OwnedFd>, Mutex<HashMap<usize, u64>>);

impl Eventfds {
    /// One for each of `count` vectors, given to the device.
    pub fn give(endpoint: &Endpoint, count: u16) -> Self {
        let fds: Vec<OwnedFd> = (0..count)
            .map(|_| eventfd(0, EventfdFlags::NONBLOCK).unwrap())
            .collect();
        let given = fds.iter().map(|fd| Some(dup(fd).unwrap())).collect();
        let header = SetIrqs {
            argsz: irq_set::HEADER,
            flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
            index: irq::MSIX,
            start: 0,
            count: count.into(),
        };
        let irqs = &endpoint.function().irqs;
        irqs.set(header, Payload::Triggers(given)).unwrap();
        Self(fds, Mutex::default())
    }

    /// How often a vector was signalled so far.
    pub fn signals(&self, vector: usize) -> u64 {
        let mut count = [0; 8];
        let new = match read(&self.0[vector], &mut count) {
            Ok(_) => u64::from_ne_bytes(count),
            Err(Errno::AGAIN) => 0,
            Err(error) => panic!("{error}"),
        };
        let mut sums = self.1.lock().unwrap();
        let sum = sums.entry(vector).or_default();
        *sum += new;
        *sum
    }
}
