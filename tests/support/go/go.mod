module scar.test/goserver

go 1.19
