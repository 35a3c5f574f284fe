// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's side of MSI-X: masks and moves vectors, whole functions too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ims::message::{Message, RequesterId};
use ims::msix::{BarOffset, MsixConfig};
use ims_kvm::{Interrupts, MsixDevice};
use vmm_sys_util::eventfd::EventFd;

use super::places::Places;
use super::writer::Random;

const MASKED: Duration = Duration::from_millis(8);
const FUNCTION_EVERY: Duration = Duration::from_secs(4);

pub struct Disturber {
    devices: Vec<MsixDevice>,
    vectors: u16,
    places: Places,
    random: Random,
    waiting: VecDeque<(Instant, u32)>,
    is_masked: Vec<bool>,
    next_function: Instant,
    pub masked: u64,
    pub moved: u64,
    pub functions: u64,
}

impl Disturber {
    pub fn new(interrupts: &Interrupts, places: Places, devices: u32, vectors: u16) -> Self {
        let config = MsixConfig {
            vectors,
            table: BarOffset { bir: 0, offset: 0 },
            pba: BarOffset { bir: 1, offset: 0 },
        };
        let mut random = Random(0x1234_5678);
        let devices: Vec<_> = (0..devices)
            .map(|device| {
                let requester = RequesterId(0x100 + device as u16);
                let mut msix = interrupts.msix(config, requester).unwrap();
                for vector in 0..vectors {
                    let source = device * u32::from(vectors) + u32::from(vector);
                    let masked = random.below(50) == 0;
                    msix.program(vector, places.message(source), masked)
                        .unwrap();
                }
                msix.set_enabled(true);
                msix
            })
            .collect();
        let mut this = Self {
            is_masked: vec![false; devices.len() * usize::from(vectors)],
            devices,
            vectors,
            places,
            random,
            waiting: VecDeque::new(),
            next_function: Instant::now() + FUNCTION_EVERY,
            masked: 0,
            moved: 0,
            functions: 0,
        };
        this.unmask_all();
        this
    }

    pub fn eventfds(&self) -> Vec<Arc<EventFd>> {
        let vectors = self.vectors;
        let of = |device: &MsixDevice| {
            let eventfds = (0..vectors).map(|vector| device.eventfd(vector).unwrap());
            eventfds.collect::<Vec<_>>()
        };
        self.devices.iter().flat_map(of).collect()
    }

    pub fn places(&self) -> &Places {
        &self.places
    }

    fn program(&mut self, source: u32, masked: bool) {
        self.write(source, self.places.message(source), masked);
        self.is_masked[source as usize] = masked;
    }

    /// The guest's write of a vector's entry.
    fn write(&mut self, source: u32, message: Message, masked: bool) {
        let vectors = u32::from(self.vectors);
        let device = &mut self.devices[(source / vectors) as usize];
        let vector = (source % vectors) as u16;
        device.program(vector, message, masked).unwrap();
    }

    /// Some masks, moves and unmasks.
    pub fn turn(&mut self) {
        let now = Instant::now();
        while self.waiting.front().is_some_and(|&(due, _)| due <= now) {
            let (_, source) = self.waiting.pop_front().unwrap();
            if self.random.below(2) == 0 {
                self.move_masked(source);
            }
            self.program(source, false);
        }
        for _ in 0..2 {
            let source = self.random.below(self.is_masked.len() as u32);
            if !self.is_masked[source as usize] {
                self.program(source, true);
                self.masked += 1;
                self.waiting.push_back((now + MASKED, source));
            }
        }
        if now >= self.next_function {
            let device = self.random.below(self.devices.len() as u32) as usize;
            self.devices[device].set_function_masked(true);
            std::thread::sleep(Duration::from_millis(1));
            self.devices[device].set_function_masked(false);
            self.functions += 1;
            self.next_function = Instant::now() + FUNCTION_EVERY;
        }
    }

    /// A guest moves a vector while it is masked.
    fn move_masked(&mut self, source: u32) {
        if let Some(place) = self.places.next(source) {
            self.write(source, self.places.message_at(place), true);
            self.places.moved(source, place);
            self.moved += 1;
        }
    }

    fn unmask_all(&mut self) {
        for source in 0..self.is_masked.len() as u32 {
            self.program(source, false);
        }
    }

    pub fn end(&mut self) {
        self.waiting.clear();
        self.unmask_all();
    }
}
