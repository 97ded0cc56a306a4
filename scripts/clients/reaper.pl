#!/usr/bin/perl
# What testcontainers calls Ryuk, as far as clients can tell: they connect to port 8080 and name labels, a line each,
# which is acknowledged. When the last one has gone, all containers, networks, volumes and images with these labels are
# removed, by way of the engine's socket.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 16, ReuseAddr => 1) or die "no port: $!";
my $patience = ($ENV{RYUK_RECONNECTION_TIMEOUT} // '10s') =~ /^(\d+)s$/ ? $1 : 10;
my ($select, %filters, %rest) = (IO::Select->new($server));
$| = 1;
print "reaper: Started!\n";

sub engine {
    my ($method, $path) = @_;
    open my $answer, '-|', 'curl', '-sS', '--unix-socket', '/var/run/docker.sock', '-X', $method, "http://engine$path"
        or die "no curl: $!";
    local $/;
    return <$answer> // '';
}

sub reap {
    for my $label (keys %filters) {
        my $filter = '%7B%22label%22%3A%5B%22' . $label . '%22%5D%7D';
        my $containers = engine('GET', "/containers/json?all=1&filters=$filter");
        for my $id ($containers =~ /"Id":"([0-9a-f]{64})"/g) { engine('DELETE', "/containers/$id?force=1&v=1") }
        my $networks = engine('GET', "/networks?filters=$filter");
        for my $id ($networks =~ /"Id":"([0-9a-f]{64})"/g) { engine('DELETE', "/networks/$id") }
        my $volumes = engine('GET', "/volumes?filters=$filter");
        for my $name ($volumes =~ /"Name":"([^"]+)"/g) { engine('DELETE', "/volumes/$name?force=1") }
    }
    exit 0;
}

while (1) {
    my $clients = $select->count - 1;
    my @ready = $select->can_read($clients || !%filters ? undef : $patience);
    reap() if !@ready;
    for my $handle (@ready) {
        if ($handle == $server) {
            $select->add($server->accept);
            next;
        }
        my $count = sysread $handle, my $bytes, 4096;
        if (!$count) {
            $select->remove($handle);
            close $handle;
            next;
        }
        my $text = ($rest{$handle} // '') . $bytes;
        while ($text =~ s/^([^\n]*)\n//) {
            (my $line = $1) =~ s/\r$//;
            $filters{$1} = 1 if $line =~ /^label=([\w.=-]+)$/;
            syswrite $handle, "ACK\n";
        }
        $rest{$handle} = $text;
    }
}
