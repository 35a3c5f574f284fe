// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims stat` says of a device what its client counted.

use std::time::Duration;

use serde_json::Value;

use crate::client::{Client, VECTORS, until};
use crate::served::Served;
use crate::{client, served};

/// What is counted of a device.
pub fn device(served: &Served, name: &str) -> Value {
    let statistics = served.stat();
    let devices = statistics["devices"].as_array().unwrap().iter();
    let mut named = devices.filter(|device| device["name"] == name);
    named.next().unwrap().clone()
}

/// Entries of the parent's store that are in use.
pub fn entries_used(served: &Served) -> u64 {
    served.stat()["parent"]["ims-used"].as_u64().unwrap()
}

/// What is counted of a vector of a device's queue.
pub fn vector(device: &Value, number: u16) -> Value {
    let vectors = device["interrupts"].as_array().unwrap().iter();
    let mut numbered = vectors.filter(|vector| vector["vector"] == number);
    numbered.next().unwrap().clone()
}

/// Whether all that the client did is counted, and nothing else. Interrupts are
/// counted as they are on their way, so it may take a moment.
fn agrees(device: &Value, client: &Client) -> Result<(), String> {
    let queue = &device["queues"][0];
    let same = |what: &str, said: &Value, counted: u64| {
        if said == counted {
            Ok(())
        } else {
            Err(format!(
                "{what}: it says {said}, the client counted {counted}"
            ))
        }
    };
    same("submitted", &queue["submitted"], client.submitted)?;
    if !queue["completed"].is_null() {
        same("completed", &queue["completed"], client.submitted)?;
    }
    same("refused", &queue["refused"], 0)?;
    same("waiting", &queue["waiting"], 0)?;
    same("errors", &device["errors"], 0)?;
    for number in 1..VECTORS {
        let vector = vector(device, number);
        let place = usize::from(number) - 1;
        same("raised", &vector["raised"], client.asked[place])?;
        same("delivered", &vector["delivered"], client.signals[place])?;
        let coalesced = client.asked[place].checked_sub(client.signals[place]);
        same("coalesced", &vector["coalesced"], coalesced.unwrap_or(0))?;
        for never in ["held", "faulted", "dropped"] {
            same(never, &vector[never], 0)?;
        }
    }
    Ok(())
}

/// Waits until what is counted of a device is what its client counted.
pub fn agree(served: &Served, name: &str, client: &mut Client) {
    let mut why = Ok(());
    until("agreement", || {
        for vector in 1..VECTORS {
            client.take_signals(vector, Duration::ZERO).unwrap();
        }
        let before = std::mem::replace(&mut why, agrees(&device(served, name), client));
        if why.is_err() && why != before {
            println!("{name}: {why:?}");
        }
        why.is_ok()
    });
}

#[test]
fn what_is_counted_is_what_the_clients_counted() {
    let served = served("counts");
    let names = ["vdsa0", "vdsa1", "dsa"];
    let mut clients = names.map(|name| client(&served, name));
    for (rounds, client) in (2..).zip(&mut clients) {
        for _ in 0..rounds {
            client.round().unwrap();
        }
    }
    for (name, client) in names.iter().zip(&mut clients) {
        agree(&served, name, client);
        client.untouched();
    }
    // Two vectors of each virtual device.
    assert_eq!(entries_used(&served), 4);
    assert_eq!(served.stat()["parent"]["interfaces"], 2);
}
