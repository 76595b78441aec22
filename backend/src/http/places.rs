//! Who may connect: so many in all, so many from one network.
//!
//! A network is an IPv4 address, or the first half of an IPv6 address, which is what one subscriber gets.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A number of places, each taken by a connection until it ends.
pub(super) struct Places {
    in_all: usize,
    per_network: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    /// Only networks that have any.
    by_network: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken.
    InAll,
    /// The network has as many as it may.
    Network,
}

/// A place that is taken, until it goes out of scope.
pub(super) struct Place {
    places: Arc<Places>,
    /// `None`: counts for no network.
    network: Option<IpAddr>,
}

impl Places {
    pub(super) fn new(in_all: usize, per_network: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_network, taken: Mutex::default() })
    }

    /// Takes a place for whoever is at an address; `None`: for somebody who stands for many.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Full> {
        let network = address.map(network);
        let mut taken = self.lock();
        if taken.in_all >= self.in_all {
            return Err(Full::InAll);
        }
        if let Some(network) = network {
            let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
            if of_network >= self.per_network {
                return Err(Full::Network);
            }
            taken.by_network.insert(network, of_network + 1);
        }
        taken.in_all += 1;
        Ok(Place { places: Arc::clone(self), network })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.in_all -= 1;
        let Some(network) = self.network else { return };
        if let Entry::Occupied(mut of_network) = taken.by_network.entry(network) {
            *of_network.get_mut() -= 1;
            if *of_network.get() == 0 {
                of_network.remove();
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_by_network_and_given_back() {
        let places = Places::new(4, 2);
        let take = |address: &str| places.take(Some(address.parse().unwrap()));
        let first = take("192.0.2.1").unwrap();
        // The same address, as it looks on a socket for both families.
        let _second = take("::ffff:192.0.2.1").unwrap();
        assert_eq!(take("192.0.2.1").err(), Some(Full::Network));
        drop(first);
        let _third = take("192.0.2.1").unwrap();
        let _fourth = take("2001:db8::1").unwrap();
        let fifth = take("2001:db8::2:1").unwrap();
        assert_eq!(take("192.0.2.2").err(), Some(Full::InAll));
        drop(fifth);
        let sixth = places.take(None).unwrap();
        assert_eq!(places.take(None).err(), Some(Full::InAll));
        drop(sixth);
        assert_eq!(places.lock().by_network.len(), 2);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_network() {
        let places = Places::new(10, 1);
        let take = |address: &str| places.take(Some(address.parse().unwrap()));
        let first = take("2001:db8:1:2::1").unwrap();
        assert_eq!(take("2001:db8:1:2:ffff::9").err(), Some(Full::Network));
        let _other = take("2001:db8:1:3::1").unwrap();
        drop(first);
        let _again = take("2001:db8:1:2:ffff::9").unwrap();
    }
}
