module sluice/capped-runc

go 1.24
