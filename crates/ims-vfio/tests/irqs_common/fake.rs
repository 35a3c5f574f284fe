// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host of interrupts that does what it is told, and shows what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ims::store::Cookie;
use ims_vfio::irqs::{Backed, Backing, BackingError, Signal};
use rustix::io::Errno;

pub struct Given {
    pub cookie: Option<u64>,
    pub signal: Signal,
    pub pending: bool,
}

/// Gives the lowest free index below `limit`.
pub struct Fake {
    pub limit: u32,
    pub given: Arc<Mutex<BTreeMap<u32, Given>>>,
}

impl Fake {
    pub fn new(limit: u32) -> Self {
        let given = Arc::default();
        Self { limit, given }
    }

    pub fn raise(&self, index: u32) {
        let signal = self.given.lock().unwrap()[&index].signal.clone();
        signal.give();
    }

    pub fn hold(&self, index: u32) {
        self.given.lock().unwrap().get_mut(&index).unwrap().pending = true;
    }
}

struct One {
    index: u32,
    given: Arc<Mutex<BTreeMap<u32, Given>>>,
}

impl Backing for Fake {
    fn alloc(
        &self,
        cookie: Option<Cookie>,
        signal: Signal,
    ) -> Result<Box<dyn Backed>, BackingError> {
        let mut given = self.given.lock().unwrap();
        let index = (0..self.limit)
            .find(|index| !given.contains_key(index))
            .ok_or_else(|| BackingError::new(Errno::NOSPC, "none left"))?;
        let cookie = cookie.map(|Cookie(cookie)| cookie);
        let pending = false;
        given.insert(
            index,
            Given {
                cookie,
                signal,
                pending,
            },
        );
        Ok(Box::new(One {
            index,
            given: Arc::clone(&self.given),
        }))
    }
}

impl Backed for One {
    fn index(&self) -> u32 {
        self.index
    }

    fn is_pending(&self) -> bool {
        self.given.lock().unwrap()[&self.index].pending
    }

    fn set_masked(&self, masked: bool) {
        let mut given = self.given.lock().unwrap();
        let one = given.get_mut(&self.index).unwrap();
        if !masked && std::mem::take(&mut one.pending) {
            one.signal.give();
        }
    }

    fn free(self: Box<Self>) -> bool {
        self.given
            .lock()
            .unwrap()
            .remove(&self.index)
            .unwrap()
            .pending
    }
}
