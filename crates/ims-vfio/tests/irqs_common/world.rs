// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interrupts of a device beside their model, and the client's ends of all
//! descriptors between them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ims_vfio::irqs::{Backing, Irqs, Lines, Payload, SetIrqs};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{dup, read};

use super::fake::Fake;
use super::model::{Data, Fd, Model};

pub struct World {
    pub irqs: Irqs,
    pub model: Model,
    pub fake: Arc<Fake>,
    pub clients: BTreeMap<usize, OwnedFd>,
    seen: BTreeMap<usize, u64>,
    next: usize,
}

/// What `eventfd` has counted.
pub fn drain(fd: &OwnedFd) -> u64 {
    let mut bytes = [0; 8];
    read(fd, &mut bytes).map_or(0, |_| u64::from_ne_bytes(bytes))
}

/// An eventfd, and the client's end of it.
pub fn pair() -> (OwnedFd, OwnedFd) {
    let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
    let client = dup(&fd).unwrap();
    (fd, client)
}

pub fn make(lines: Lines, limit: Option<u32>) -> (Irqs, Arc<Fake>) {
    let fake = Arc::new(Fake::new(limit.unwrap_or(0)));
    let backing = limit.map(|_| Arc::clone(&fake) as Arc<dyn Backing>);
    (Irqs::new(lines, backing).unwrap(), fake)
}

impl World {
    pub fn new(lines: Lines, limit: Option<u32>) -> Self {
        let (irqs, fake) = make(lines, limit);
        Self {
            irqs,
            model: Model::new(lines, limit),
            fake,
            clients: BTreeMap::new(),
            seen: BTreeMap::new(),
            next: 0,
        }
    }

    /// The number of the next good descriptor.
    pub fn next(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    /// Gives every good descriptor of `data` a number.
    pub fn number(&mut self, data: &mut Data) {
        if let Data::Fds(fds) = data {
            for fd in fds {
                if let Fd::Good(id) = fd {
                    *id = self.next();
                }
            }
        }
    }

    /// Asks both; they must answer the same.
    pub fn set(&mut self, header: SetIrqs, mut data: Data) -> i32 {
        self.number(&mut data);
        let triggers: Vec<Option<OwnedFd>>;
        let payload = match &data {
            Data::None => Payload::None,
            Data::Bools(bools) => Payload::Bools(bools),
            Data::Fds(fds) => {
                triggers = fds.iter().map(|fd| self.descriptor(*fd)).collect();
                Payload::Triggers(triggers)
            }
        };
        let answer = match self.irqs.set(header, payload) {
            Ok(()) => 0,
            Err(error) => error.errno().raw_os_error(),
        };
        let wanted = self.model.set(&header, &data);
        assert_eq!(answer, wanted, "{header:?} {data:?} on {:?}", self.model);
        // Those that were refused are of no more interest.
        if let Data::Fds(fds) = &data {
            let used = self.model.in_use();
            let new = |id: &usize| fds.contains(&Fd::Good(*id));
            self.clients.retain(|id, _| !new(id) || used.contains(id));
        }
        answer
    }

    fn descriptor(&mut self, fd: Fd) -> Option<OwnedFd> {
        match fd {
            Fd::Minus => None,
            Fd::Bad => Some(std::io::pipe().unwrap().1.into()),
            Fd::Good(id) => {
                let (fd, client) = pair();
                self.clients.insert(id, client);
                Some(fd)
            }
        }
    }

    /// Everything that can be seen must be as the model has it.
    pub fn check(&mut self) {
        for (id, client) in &self.clients {
            // What the client itself writes to unmask is not ours.
            if Some(*id) == self.model.unmask {
                continue;
            }
            *self.seen.entry(*id).or_default() += drain(client);
        }
        for (id, count) in &self.seen {
            let wanted = self.model.signals.get(id).copied().unwrap_or(0);
            assert_eq!(*count, wanted, "descriptor {id} of {:?}", self.model);
        }
        for (vector, one) in self.model.vectors[2].iter().enumerate() {
            let vector = vector as u32;
            assert_eq!(self.irqs.has_trigger(vector), one.fd.is_some());
            assert_eq!(self.irqs.ims_index(vector).ok(), one.slot);
            assert_eq!(self.irqs.kind(vector), Some(self.model.kind(vector)));
        }
        let given = self.fake.given.lock().unwrap();
        let given: BTreeMap<_, _> = given.iter().map(|(at, one)| (*at, one.cookie)).collect();
        assert_eq!(given, self.model.cookies);
        assert_eq!(self.irqs.generation(), self.model.generation);
        assert_eq!(
            self.irqs.unmask_eventfd().is_some(),
            self.model.unmask.is_some()
        );
        let used = self.model.in_use();
        self.clients.retain(|id, _| used.contains(id));
        self.seen.retain(|id, _| used.contains(id));
        self.model.signals.retain(|id, _| used.contains(id));
    }
}
