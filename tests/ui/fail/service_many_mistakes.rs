//! Methods that cannot be called from elsewhere, all of which are told at once.

struct Book(Vec<String>);

#[offspring::service]
impl Book {
    pub fn line(&self, number: usize) -> &str {
        &self.0[number]
    }

    pub fn add(&mut self, line: &str) {
        self.0.push(line.into());
    }

    pub fn add_two(&mut self, (one, two): (String, String)) {
        self.0.extend([one, two]);
    }

    pub fn into_lines(self) -> Vec<String> {
        self.0
    }

    pub fn with_cancel(&self) {}

    pub fn show<T: std::fmt::Display>(&mut self, what: T) {
        self.0.push(what.to_string());
    }

    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.clone().into_iter()
    }

    pub fn with_timeout(&self) {}
}

fn main() {}
