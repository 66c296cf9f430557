// What a few lines of Go with a well-known library come to: a WebSocket relay on gorilla/websocket.
//
//	relay [-cert FILE -key FILE] LISTEN_PORT TARGET_PORT
package main

import (
	"flag"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

const blockSize = 32 << 10

var upgrader = websocket.Upgrader{
	ReadBufferSize:  blockSize,
	WriteBufferSize: blockSize,
	Subprotocols:    []string{"binary"},
}

// toTarget sends the payload of each message on as it arrives.
func toTarget(browser *websocket.Conn, target net.Conn) {
	block := make([]byte, blockSize)
	for {
		_, message, err := browser.NextReader()
		if err != nil {
			return
		}
		// without io.ReaderFrom, which would take a block of its own for each message
		if _, err := io.CopyBuffer(struct{ io.Writer }{target}, message, block); err != nil {
			return
		}
	}
}

// toBrowser makes a message of whatever a read gives.
func toBrowser(target net.Conn, browser *websocket.Conn) {
	block := make([]byte, blockSize)
	for {
		n, err := target.Read(block)
		if n > 0 && browser.WriteMessage(websocket.BinaryMessage, block[:n]) != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

func main() {
	cert := flag.String("cert", "", "certificate, in PEM")
	key := flag.String("key", "", "its key")
	flag.Parse()
	listen, to := "127.0.0.1:"+flag.Arg(0), "127.0.0.1:"+flag.Arg(1)

	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		browser, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer browser.Close()
		target, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer target.Close()
		go func() {
			defer browser.Close()
			defer target.Close()
			toBrowser(target, browser)
		}()
		toTarget(browser, target)
	})
	if *cert != "" {
		log.Fatal(http.ListenAndServeTLS(listen, *cert, *key, nil))
	}
	log.Fatal(http.ListenAndServe(listen, nil))
}
